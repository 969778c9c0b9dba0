// A process with one client: it sends an update for each line that it reads, and prints a line for each that
// has ended. SIGTERM interrupts what is under way, closes the client, and only then ends the process. With the
// directory of a token store in TOKENS, the client is one of OAuth; with a URL in PROXY, it tunnels; with TRANSPORT=fetch, it
// uses the platform's fetch. TIMEOUT, in milliseconds, limits each update.
import { createInterface } from "node:readline"
import * as FetchInstallationService from "@effect-pleo/core/FetchInstallationService"
import * as InstallationService from "@effect-pleo/core/InstallationService"
import * as OAuth from "@effect-pleo/core/OAuth"
import * as RetryPolicy from "@effect-pleo/core/RetryPolicy"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Stream from "effect/Stream"
import * as NodeInstallationService from "../../src/NodeInstallationService.ts"
import * as FileTokenStore from "./fileTokenStore.ts"

const { PROXY, TIMEOUT, TOKENS, TRANSPORT } = process.env

const proxy = PROXY === undefined ? undefined : new URL(PROXY)

const limited = RetryPolicy.timeout(TIMEOUT === undefined ? "1 hour" : Number(TIMEOUT))

const client =
  TOKENS === undefined
    ? TRANSPORT === "fetch"
      ? FetchInstallationService.layerConfig()
      : NodeInstallationService.layerConfig({ proxy })
    : Layer.provide(
        NodeInstallationService.layerConfig({ proxy, credentials: OAuth.config }),
        FileTokenStore.layer(TOKENS)
      )

const report = (outcome: object) =>
  Effect.sync(() => {
    process.stdout.write(`${JSON.stringify(outcome)}\n`)
  })

const program = Stream.fromAsyncIterable(createInterface({ input: process.stdin }), (cause) => cause).pipe(
  Stream.runForEach((note) =>
    InstallationService.update({ status: "ACTIVATED", metadata: { note } }).pipe(
      limited,
      Effect.matchEffect({
        onFailure: report,
        onSuccess: ({ id }) => report({ id })
      })
    )
  ),
  Effect.provide(client)
)

const fiber = Effect.runFork(program)
process.once("SIGTERM", () => {
  fiber.addObserver(() => process.exit(128 + 15))
  fiber.unsafeInterruptAsFork(fiber.id())
})
