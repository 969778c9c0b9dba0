// Shows how reliable the client is: the fault matrix, the search for secrets, and figures under load. It
// exits with 1 when a bar is missed.
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import { type Reporter, startVitest, type TestCase } from "vitest/node"
import * as Load from "./load.ts"

const isTerminal = process.stdout.isTTY

interface Result {
  readonly title: string
  readonly passed: boolean
}

/** Runs the test files whose path contains one of the filters, reporting each result as it comes. */
const runTests = async (
  filters: ReadonlyArray<string>,
  onResult: (result: Result) => void
): Promise<ReadonlyArray<Result>> => {
  const results: Array<Result> = []
  const reporter: Reporter = {
    onTestCaseResult: (test: TestCase) => {
      const result = { title: test.fullName, passed: test.result().state === "passed" }
      results.push(result)
      onResult(result)
    }
  }
  const vitest = await startVitest("test", [...filters], { watch: false, reporters: [reporter] })
  await vitest.close()
  // The exit code is this script's to set.
  process.exitCode = 0
  return results
}

const rows = Array.from({ length: 73 }, (_, index) => index + 1)

const rowOf = ({ title }: Result): number => Number(/(?:^|> )(\d+) /.exec(title)?.[1])

const clearLine = () => {
  if (isTerminal) process.stdout.write("\r\x1b[2K")
}

const progress = (text: string) => {
  if (!isTerminal) return
  clearLine()
  process.stdout.write(text.slice(0, process.stdout.columns ?? 80))
}

interface Figure {
  readonly name: string
  readonly value: string
  readonly bar: string
  readonly met: boolean
}

const figures: Array<Figure> = []

const atMost = (name: string, value: number, bar: number, unit = ""): void => {
  figures.push({ name, value: `${value}${unit}`, bar: `at most ${bar}${unit}`, met: value <= bar })
}

const showMatrix = (results: ReadonlyArray<Result>): void => {
  console.log("Faults\n")
  for (const row of rows) {
    const ofRow = results.filter((result) => rowOf(result) === row)
    const outcome = ofRow.length > 0 && ofRow.every(({ passed }) => passed) ? "ok  " : "FAIL"
    const title = ofRow[0]?.title.replace(/^.*?(?=\b\d+ )/, "") ?? `${row} no test`
    console.log(
      `  ${outcome} ${title.padStart(title.length + (row < 10 ? 1 : 0))}${ofRow.length > 1 ? ` (${ofRow.length} tests)` : ""}`
    )
    for (const { passed, title } of ofRow) if (!passed) console.log(`       failed: ${title}`)
  }
  console.log()
}

const matrix = await runTests(["packages/node/test/matrix/"], ({ passed, title }) =>
  progress(`${passed ? "ok" : "FAIL"} ${title}`)
)
clearLine()
showMatrix(matrix)

const secrets = await runTests(["packages/node/test/secrets"], ({ passed, title }) =>
  progress(`${passed ? "ok" : "FAIL"} ${title}`)
)
clearLine()

const load: ReadonlyArray<readonly [title: string, figure: Effect.Effect<void, unknown>]> = [
  [
    "1000 updates, every one failing",
    Effect.map(Load.requestsPerUpdate, (it) => atMost("requests per update at 100 % failure", it, 1.11))
  ],
  [
    "10 000 updates interrupted in flight",
    Effect.map(Load.socketsAfterInterruptions, (it) =>
      atMost("open sockets after 10 000 interruptions", it, 0)
    )
  ],
  [
    "redirects to another origin",
    Effect.map(Load.strayRequests, (it) =>
      atMost("requests with a credential that reach another origin", it, 0)
    )
  ],
  [
    "1000 fibers meet a token that is not good any more",
    Effect.map(Load.refreshesInStorm, (it) => {
      figures.push({ name: "refreshes in a 1000-fiber storm", value: `${it}`, bar: "1", met: it === 1 })
    })
  ],
  [
    "hostile bodies",
    Effect.map(Load.memoryGrowth, (it) =>
      atMost("peak memory growth under hostile bodies", Math.round(it * 10) / 10, 32, " MiB")
    )
  ],
  [
    "every kind of stall, up to a deadline of 30 s",
    Effect.map(Load.pastDeadline(Duration.seconds(30)), (it) =>
      atMost("longest completion past a 30 s deadline", Math.round(it), 250, " ms")
    )
  ]
]

console.log("Load\n")
for (const [title, figure] of load) {
  progress(`  ... ${title}`)
  const [took] = await Effect.runPromise(Effect.timed(figure))
  clearLine()
  console.log(
    `  ${figures.at(-1)?.met ? "ok  " : "FAIL"} ${title} (${(Duration.toMillis(took) / 1000).toFixed(1)} s)`
  )
}
console.log()

const passedRows = rows.filter((row) => {
  const ofRow = matrix.filter((result) => rowOf(result) === row)
  return ofRow.length > 0 && ofRow.every(({ passed }) => passed)
}).length
const probes = secrets.filter(({ title }) => /\bprobe\b/.test(title))
const controls = secrets.filter(({ title }) => /\bcontrol\b/.test(title))
const found = probes.filter(({ passed }) => !passed).length
const working = controls.filter(({ passed }) => passed).length

figures.unshift(
  { name: "faults", value: `${passedRows}/${rows.length}`, bar: "all", met: passedRows === rows.length },
  {
    name: "secrets",
    value: `${found} of ${probes.length} probes, controls ${working}/${controls.length}`,
    bar: "0, all",
    met: probes.length > 0 && found === 0 && controls.length === probes.length && working === controls.length
  }
)

for (const { bar, name, value } of figures) console.log(`${name}: ${value} (bar ${bar})`)
const met = figures.filter((figure) => figure.met).length
console.log(`reliability: ${met}/${figures.length}`)
// What was left behind on purpose, such as uninterruptible work, does not keep the process.
process.exit(met === figures.length ? 0 : 1)
