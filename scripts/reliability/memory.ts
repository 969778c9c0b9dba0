// A process that meets hostile bodies, and tells by how many MiB its memory grows at most.
import { fork } from "node:child_process"
import { once } from "node:events"
import { fileURLToPath } from "node:url"
import * as Credentials from "@effect-pleo/core/Credentials"
import * as InstallationService from "@effect-pleo/core/InstallationService"
import * as NodeInstallationService from "@effect-pleo/node/NodeInstallationService"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Redacted from "effect/Redacted"

const update = InstallationService.update({ status: "ACTIVATED" })

const credentials = Credentials.bearer(Redacted.make("token"))

const hostileServer = Effect.acquireRelease(
  Effect.promise(async () => {
    const child = fork(fileURLToPath(new URL("hostileServer.ts", import.meta.url)))
    const [{ paths, port }] = (await once(child, "message")) as [
      { paths: ReadonlyArray<string>; port: number }
    ]
    const [honest, ...hostile] = paths.map((path) => `http://127.0.0.1:${port}${path}`)
    return { child, honest, hostile }
  }),
  ({ child }) => Effect.sync(() => child.disconnect())
)

const mebibyte = 1024 * 1024

/**
 * By how many MiB the memory of this process grows at most while it meets each kind of hostile body, over
 * what it needs for honest answers of nearly the allowed size.
 */
const memoryGrowth = Effect.gen(function* () {
  const { honest, hostile } = yield* hostileServer
  const meet = (url: string | undefined = "") =>
    Effect.provide(Effect.exit(update), NodeInstallationService.layer({ server: url, credentials }))
  for (let round = 0; round < 100; round++) {
    const exit = yield* meet(honest)
    if (Exit.isFailure(exit)) return yield* Effect.dieMessage("an honest answer was refused")
  }
  const baseline = process.memoryUsage().rss
  let peak = baseline
  const sample = setInterval(() => {
    peak = Math.max(peak, process.memoryUsage().rss)
  }, 5)
  for (let round = 0; round < 10; round++) {
    for (const url of hostile) {
      const exit = yield* meet(url)
      if (Exit.isSuccess(exit)) return yield* Effect.dieMessage(`${url} was accepted`)
    }
  }
  clearInterval(sample)
  return (peak - baseline) / mebibyte
}).pipe(Effect.scoped)

process.send?.(await Effect.runPromise(memoryGrowth))
