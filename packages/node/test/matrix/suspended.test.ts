import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Child from "../support/child.ts"
import { ok } from "../support/faults.ts"
import * as RawServer from "../support/rawServer.ts"

const timeout = 1000

describe.concurrent("77 a process that is suspended while the response arrives", () => {
  for (const transport of ["node", "fetch"] as const)
    it.scopedLive(`counts it when it continues after the timeout, over ${transport}`, () =>
      Effect.gen(function* () {
        let suspendBefore = (respond: () => void) => respond()
        const server = yield* RawServer.make((request, socket) => suspendBefore(() => ok(request, socket)))
        const child = yield* Child.start({
          PLEO_SERVER: server.url,
          PLEO_ACCESS_TOKEN: "token",
          TIMEOUT: String(timeout),
          TRANSPORT: transport
        })
        const success = { id: RawServer.installation.id }
        child.send("first")
        expect(yield* child.outcome).toEqual(success)
        // Once it waits for the response: suspended before that, or not yet when the response arrives, it would read before
        // it looks at its timers.
        suspendBefore = (respond) =>
          setTimeout(() => {
            child.kill("SIGSTOP")
            setTimeout(respond, timeout / 10)
          }, timeout / 10)
        child.send("second")
        yield* server.until(({ requests }) => requests.length === 2)
        // The child's timers are the system's.
        yield* Effect.sleep(1.5 * timeout)
        child.kill("SIGCONT")
        expect(yield* child.outcome).toEqual(success)
      })
    )
})
