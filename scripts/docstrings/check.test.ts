import { fileURLToPath } from "node:url"
import { expect, it } from "@effect/vitest"
import { check } from "./check.ts"

const fixture = (name: string) => fileURLToPath(new URL(`fixtures/${name}.ts`, import.meta.url))

it("finds each kind of fault, at its line, and none where there is none", { timeout: 120_000 }, async () => {
  const { examples, exports, problems } = await check([fixture("Sound"), fixture("Faulty")], 3_000)
  const faulty = "scripts/docstrings/fixtures/Faulty.ts"
  expect(problems.map((problem) => problem.split("\n")[0])).toEqual([
    `${faulty}:1: no summary of the module, with @module`,
    `${faulty}:1: no @since of the module`,
    `${faulty}:3 bare: no summary`,
    `${faulty}:3 bare: no @since`,
    `${faulty}:3 bare: no @category`,
    `${faulty}:3 bare: no @example`,
    `${faulty}:14 unfenced: an @example that is no block of ts`,
    `${faulty}:17 Shared: no @since for the type alias`,
    `${faulty}:17 Shared: no @category for the type alias`,
    `${faulty}:35 mistyped: Type 'string' is not assignable to type 'number'.`,
    `${faulty}:51 failing: throws: AssertionError: Expected values to be strictly equal:`,
    `${faulty}:64 rejecting: leaves a rejection unhandled: Error: unseen`,
    `${faulty}:78 throwingLater: throws where nobody catches it: Error: too late`,
    `${faulty}:92 exiting: ends the process with 0`,
    `${faulty}:105 waiting: ends the process with 13`,
    `${faulty}:118 endless: takes more than 3000 ms`,
    `${faulty}:131 holding: leaves something open: Timeout`,
    `${faulty}:144 connecting: throws: TypeError: fetch failed, by Error: it connects to 192.0.2.1`
  ])
  expect({ examples, exports }).toEqual({ examples: 12, exports: 14 })
})
