/**
 * What the sandbox serves: the App Marketplace API as it is, and beside it the routes by which another
 * process orders faults and reads the record.
 *
 * @since 0.1.0
 */

import * as HttpApi from "@effect/platform/HttpApi"
import * as HttpApiEndpoint from "@effect/platform/HttpApiEndpoint"
import * as HttpApiGroup from "@effect/platform/HttpApiGroup"
import * as HttpApiSchema from "@effect/platform/HttpApiSchema"
import { AppMarketplaceApi } from "@effect-pleo/core/AppMarketplaceApi"
import * as Schema from "effect/Schema"
import { Fault } from "./Fault.ts"
import { RecordedRequest } from "./RecordedRequest.ts"

/**
 * Where the sandbox's own routes are.
 *
 * @since 0.1.0
 * @category constants
 */
export const controlPrefix = "/sandbox"

const control = HttpApiGroup.make("Sandbox")
  .add(
    HttpApiEndpoint.post("orderFault", "/faults")
      .setPayload(
        Schema.Struct({
          fault: Fault,
          times: Schema.optionalWith(Schema.Int.pipe(Schema.positive()), { default: () => 1 })
        })
      )
      .addSuccess(HttpApiSchema.NoContent)
  )
  .add(HttpApiEndpoint.get("listRequests", "/requests").addSuccess(Schema.Array(RecordedRequest)))
  .prefix(controlPrefix)

/**
 * @since 0.1.0
 * @category apis
 */
export const SandboxApi = HttpApi.make("SandboxApi").addHttpApi(AppMarketplaceApi).add(control)
