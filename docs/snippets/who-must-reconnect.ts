import { OAuth } from "@effect-pleo/core"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"

/** Logs each customer whose authorization has ended, and why. */
export const logEnded = Effect.gen(function* () {
  const client = yield* OAuth.clientConfig
  yield* Stream.runForEach(OAuth.tenants(client), (tenant) =>
    tenant._tag === "Ended"
      ? Effect.logWarning(
          `${tenant.tenant} must reconnect: ${tenant.reason}`
        )
      : Effect.void
  )
})
