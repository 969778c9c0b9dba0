import { expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { runAll } from "./support/interleavings.ts"

it.live(
  "however processes that share a store interleave, fail and die, no refresh token is sent twice, and no grant ends before its refresh token was sent",
  () =>
    Effect.gen(function* () {
      const seed = Date.now() | 0
      expect({ seed, wrong: yield* runAll(50, seed) }).toEqual({ seed, wrong: [] })
    }),
  60_000
)
