import { afterEach, describe, expect, it, vi } from "@effect/vitest"
import * as RetryPolicy from "@effect-pleo/core/RetryPolicy"
import * as Effect from "effect/Effect"
import { bearer, ok, open, request } from "../support/faults.ts"
import * as RawServer from "../support/rawServer.ts"

afterEach(() => {
  vi.useRealTimers()
})

/** The default of Vitest. */
const byVitest = ["setTimeout", "setInterval", "setImmediate", "Date", "performance"] as const

/** Jest also fakes this one, in the code of packages. */
const byJest = [...byVitest, "queueMicrotask"] as const

describe("76 under the fake timers of a test, which never come due", () => {
  for (const [transport, faked] of [
    ["node", byJest],
    ["NodeHttpClient", byVitest],
    ["fetch", byVitest],
    ["FetchHttpClient", byVitest]
  ] as const)
    it.scopedLive(`updates over ${transport} get their responses, and their layer closes`, () =>
      Effect.gen(function* () {
        const server = yield* RawServer.make(ok)
        vi.useFakeTimers({ toFake: [...faked] })
        const statuses = yield* Effect.scoped(
          Effect.gen(function* () {
            const update = yield* open({ transport, credential: bearer }, server.url)
            const limited = update(request).pipe(RetryPolicy.retry())
            const first = yield* limited
            const others = yield* Effect.all([limited, limited, limited], { concurrency: "unbounded" })
            return [first, ...others].map(({ status }) => status)
          })
        )
        expect(statuses).toEqual(["ACTIVATED", "ACTIVATED", "ACTIVATED", "ACTIVATED"])
      })
    )
})
