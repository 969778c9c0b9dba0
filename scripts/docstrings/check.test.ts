import { fileURLToPath } from "node:url"
import { expect, it } from "@effect/vitest"
import { check, countLines } from "./check.ts"

const fixture = (name: string) => fileURLToPath(new URL(`fixtures/${name}.ts`, import.meta.url))

it("finds each kind of fault, with its line, and none in sound docstrings", {
  timeout: 120_000
}, async () => {
  const { examples, modules, problems } = await check([fixture("Sound"), fixture("Faulty")])
  const faulty = "scripts/docstrings/fixtures/Faulty.ts"
  expect(problems.map((problem) => problem.split("\n")[0])).toEqual([
    `${faulty}:1: no summary of the module, with @module`,
    `${faulty}:1: no @since of the module`,
    `${faulty}:3 bare: no summary`,
    `${faulty}:3 bare: no @since`,
    `${faulty}:3 bare: no @category`,
    `${faulty}:3 bare: no @example`,
    `${faulty}:14 unfenced: an @example that is no block of ts`,
    `${faulty}:17 Untagged: no @since`,
    `${faulty}:17 Untagged: no @category`,
    `${faulty}:42 importing: an @example with imports or asserts`,
    `${faulty}:60 long: an @example of 7 lines: at most 6`,
    `${faulty}:72 overloaded: an overload without a docstring`,
    `${faulty}:88 destructured: a destructured parameter`,
    `${faulty}:24 mistyped: Type 'string' is not assignable to type 'number'.`
  ])
  expect({ examples, modules }).toEqual({
    examples: 9,
    modules: [
      { file: "scripts/docstrings/fixtures/Sound.ts", exports: 4 },
      { file: faulty, exports: 8 }
    ]
  })
})

it("counts docstring lines and lines of code", () => {
  expect(countLines("scripts/docstrings/fixtures/Sound.ts")).toEqual({ docstrings: 45, code: 10 })
})
