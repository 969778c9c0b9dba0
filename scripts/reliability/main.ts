// Shows how reliable the client is: the fault matrix, the search for secrets, and figures under load. It
// exits with 1 when a bar is missed.
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import { startVitest, type TestCase } from "vitest/node"
import { clear, step } from "../../bench/src/support/progress.ts"
import * as Interleavings from "../../packages/core/test/support/interleavings.ts"
import * as Load from "./load.ts"

interface Result {
  readonly file: string
  readonly title: string
  readonly passed: boolean
}

interface Figure {
  readonly name: string
  readonly value: string
  readonly bar: string
  readonly met: boolean
}

const exactly = (name: string, value: number, bar: number): Figure => ({
  name,
  value: `${value}`,
  bar: `${bar}`,
  met: value === bar
})

const atMost = (name: string, value: number, bar: number, unit = ""): Figure => ({
  name,
  value: `${value}${unit}`,
  bar: `at most ${bar}${unit}`,
  met: value <= bar
})

const tenth = (value: number): number => Math.round(value * 10) / 10

/** The tests of the fault matrix. */
const faults = [
  "packages/node/test/matrix/",
  "packages/core/test/OAuth.breaker",
  "packages/core/test/Operations",
  "packages/core/test/TwoCopies"
]

const runTests = async (): Promise<ReadonlyArray<Result>> => {
  const results: Array<Result> = []
  const onTestCaseResult = (test: TestCase) => {
    const passed = test.result().state === "passed"
    results.push({ file: test.module.moduleId, title: test.fullName, passed })
    step(`${passed ? "ok" : "FAIL"} ${test.fullName}`)
  }
  const filters = [...faults, "packages/node/test/secrets"]
  const vitest = await startVitest("test", filters, { watch: false, reporters: [{ onTestCaseResult }] })
  await vitest.close()
  clear()
  return results
}

const showMatrix = (results: ReadonlyArray<Result>): Figure => {
  console.log("Faults\n")
  const rows = Array.from({ length: 89 }, (_, index) => index + 1)
  let passed = 0
  for (const row of rows) {
    const ofRow = results.filter(({ title }) => Number(/(?:^|> )(\d+) /.exec(title)?.[1]) === row)
    const isOk = ofRow.length > 0 && ofRow.every(({ passed }) => passed)
    if (isOk) passed += 1
    const title = ofRow[0]?.title.replace(/^.*?(?=\b\d+ )/, "") ?? `${row} no test`
    console.log(
      `  ${isOk ? "ok  " : "FAIL"} ${title.padStart(title.length + (row < 10 ? 1 : 0))}${ofRow.length > 1 ? ` (${ofRow.length} tests)` : ""}`
    )
    for (const { passed, title } of ofRow) if (!passed) console.log(`       failed: ${title}`)
  }
  console.log()
  return { name: "faults", value: `${passed}/${rows.length}`, bar: "all", met: passed === rows.length }
}

const countSecrets = (results: ReadonlyArray<Result>): Figure => {
  const probes = results.filter(({ title }) => /\bprobe\b/.test(title))
  const controls = results.filter(({ title }) => /\bcontrol\b/.test(title))
  const found = probes.filter(({ passed }) => !passed).length
  const working = controls.filter(({ passed }) => passed).length
  return {
    name: "secrets",
    value: `${found} of ${probes.length} probes, controls ${working}/${controls.length}`,
    bar: "0, all",
    met: probes.length > 0 && found === 0 && controls.length === probes.length && working === controls.length
  }
}

const interleavings = 2000
const seed = Date.now() | 0

const load: ReadonlyArray<readonly [title: string, figures: Effect.Effect<ReadonlyArray<Figure>, unknown>]> =
  [
    [
      "1000 updates, every one failing",
      Effect.map(Load.requestsPerUpdate, (it) => [atMost("requests per update at 100 % failure", it, 1.11)])
    ],
    [
      "10 000 updates interrupted in flight",
      Effect.map(Load.socketsAfterInterruptions, (it) => [
        atMost("open sockets after 10 000 interruptions", it, 0)
      ])
    ],
    [
      "redirects to another origin",
      Effect.map(Load.strayRequests, (it) => [
        atMost("requests with a credential that reach another origin", it, 0)
      ])
    ],
    [
      "1000 fibers meet a token that is not good any more",
      Effect.map(Load.refreshesInStorm, (it) => [exactly("refreshes in a 1000-fiber storm", it, 1)])
    ],
    [
      "hostile bodies",
      Effect.map(Load.hostileBodies, (it) => [
        atMost("peak memory growth under hostile bodies", tenth(it), 32, " MiB")
      ])
    ],
    [
      "every kind of stall, up to a deadline of 30 s",
      Effect.map(Load.pastDeadline, (it) => [
        atMost("longest completion past a 30 s deadline", Math.round(it), 250, " ms")
      ])
    ],
    [
      `${interleavings} interleavings of three processes and their faults (seed ${seed})`,
      Effect.map(Interleavings.runAll(interleavings, seed), (wrong) => {
        const lockedOut = wrong.filter(({ faults }) => faults.includes(Interleavings.lockedOut))
        for (const each of wrong) console.log(JSON.stringify(each))
        return [
          atMost("customers locked out without a refresh", lockedOut.length, 0),
          atMost("interleavings that went wrong in another way", wrong.length - lockedOut.length, 0)
        ]
      })
    ],
    [
      "10 000 customers, 150 000 updates",
      Effect.map(
        Load.tenants,
        ({ bytesPerCustomer, growth, mostSockets, refreshes, refused, reuses, updates }) => [
          exactly("updates that succeeded for 10 000 customers", updates, 150_000),
          atMost("updates that were refused", refused, 0),
          exactly("refreshes, one a customer", refreshes, 10_000),
          atMost("refresh tokens used twice", reuses, 0),
          atMost("most sockets", mostSockets, 64),
          atMost("memory an idle customer takes", Math.round(bytesPerCustomer), 2048, " bytes"),
          // A single pointer leaked by each update would be 0.76 MiB.
          atMost("heap growth over the last 100 000 updates", Math.round(growth * 100) / 100, 0.75, " MiB")
        ]
      )
    ]
  ]

const results = await runTests()
const isFault = ({ file }: Result) => faults.some((fault) => file.includes(fault))
const figures = [
  showMatrix(results.filter(isFault)),
  countSecrets(results.filter((result) => !isFault(result)))
]

console.log("Load\n")
for (const [title, measure] of load) {
  step(`  ... ${title}`)
  const [took, measured] = await Effect.runPromise(Effect.timed(measure))
  clear()
  const outcome = measured.every(({ met }) => met) ? "ok  " : "FAIL"
  console.log(`  ${outcome} ${title} (${Duration.toSeconds(took).toFixed(1)} s)`)
  figures.push(...measured)
}
console.log()

for (const { bar, name, value } of figures) console.log(`${name}: ${value} (bar ${bar})`)
const met = figures.filter((figure) => figure.met).length
console.log(`reliability: ${met}/${figures.length}`)
// What was left behind on purpose, such as uninterruptible work, does not keep the process.
process.exit(met === figures.length ? 0 : 1)
