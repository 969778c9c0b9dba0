// Core's synchronizations in a process that is told to end.
import { expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { signal as send } from "../../node/test/support/program.ts"
import * as Sandbox from "../src/Sandbox.ts"

it.live.each(["SIGTERM", "SIGINT"] as const)(
  "%s ends a synchronization, which reports its error first",
  (signal) =>
    Effect.gen(function* () {
      const sandbox = yield* Sandbox.Sandbox
      const code = yield* send(
        new URL("synchronizationProcess.ts", import.meta.url),
        sandbox.environment,
        signal
      )
      // NodeRuntime's code for an interruption.
      expect(code).toBe(0)
      const bodies = (yield* sandbox.requests).flatMap(({ body, method, status }) =>
        method === "PUT" && status === 200 ? [JSON.parse(body)] : []
      )
      expect(bodies).toEqual([
        { status: "PENDING_INTEGRATION" },
        { status: "ERROR", errorCode: "AUTH_ERROR" }
      ])
    }).pipe(Effect.provide(Sandbox.layer()))
)
