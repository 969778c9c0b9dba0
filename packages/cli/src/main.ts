#!/usr/bin/env node
// The command: `effect-pleo --help`.
import { createRequire } from "node:module"
import * as Command from "@effect/cli/Command"
import * as HelpDoc from "@effect/cli/HelpDoc"
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { normalize, root } from "./internal/commands.ts"
import { failed } from "./internal/report.ts"
import * as Terminal from "./internal/terminal.ts"

const { version } = createRequire(import.meta.url)("@effect-pleo/cli/package.json")

const footer = HelpDoc.blocks([
  HelpDoc.h1("VARIABLES"),
  HelpDoc.p("PLEO_ACCESS_TOKEN or PLEO_API_KEY, the credential. No secret is ever passed in an option."),
  HelpDoc.p("PLEO_SERVER and PLEO_STORE, the defaults of --server and --store."),
  HelpDoc.p("PLEO_CLIENT_ID and PLEO_CLIENT_SECRET, the app, for --tenant and connect."),
  HelpDoc.p("NO_COLOR, no colors."),
  HelpDoc.h1("EXIT CODES"),
  HelpDoc.p("0 done, 1 failed (stderr says why), 2 wrong usage or configuration, 130 interrupted.")
])

const run = Command.run(root, {
  name: "effect-pleo",
  version,
  executable: "effect-pleo",
  footer
})

// A reader such as `head` may leave early.
process.stdout.on("error", () => process.exit(1))

const program = run([...process.argv.slice(0, 2), ...normalize(process.argv.slice(2))]).pipe(
  Effect.as(0),
  Effect.catchAllCause(
    (cause): Effect.Effect<number> =>
      Cause.isInterruptedOnly(cause)
        ? Effect.interrupt
        : failed(Cause.squash(cause), process.argv.includes("--json"))
  ),
  Effect.provide(Terminal.layer)
)

NodeRuntime.runMain(program, {
  disableErrorReporting: true,
  disablePrettyLogger: true,
  teardown: (exit, onExit) =>
    onExit(Exit.isSuccess(exit) ? Number(exit.value) : Cause.isInterruptedOnly(exit.cause) ? 130 : 1)
})
