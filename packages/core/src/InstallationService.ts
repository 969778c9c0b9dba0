/**
 * Updating the installation that the credential belongs to.
 *
 * @since 0.1.0
 * @module
 */
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import type { Installation } from "./Installation.ts"
import type { InstallationError } from "./InstallationError.ts"
import { Call, run } from "./internal/call.ts"
import type { UpdateInstallation } from "./UpdateInstallation.ts"

/**
 * What the layers of this project provide, and what a unit test replaces.
 *
 * @since 0.1.0
 * @category tags
 */
export class InstallationService extends Context.Tag("@effect-pleo/core/InstallationService")<
  InstallationService,
  {
    /**
     * Changes the status, the error code or the metadata of the installation (`PUT /v1/installations/me`)
     * and gives the installation as Pleo then has it. Sends one request: retries and timeouts are the
     * caller's to compose.
     */
    readonly update: (request: UpdateInstallation) => Effect.Effect<Installation, InstallationError>
  }
>() {}

/**
 * `update` of the `InstallationService` in the environment.
 *
 * @since 0.1.0
 * @category accessors
 */
export const update = (
  request: UpdateInstallation
): Effect.Effect<Installation, InstallationError, InstallationService> =>
  new Call((given) =>
    run(
      Context.get(given.context as Context.Context<InstallationService>, InstallationService).update(request),
      given
    )
  )
