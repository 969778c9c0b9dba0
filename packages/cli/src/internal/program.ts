// A run of the command, from its arguments to its exit code.
import { createRequire } from "node:module"
import * as Command from "@effect/cli/Command"
import * as HelpDoc from "@effect/cli/HelpDoc"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import { groups, normalize, root } from "./commands.ts"
import { completions } from "./completions.ts"
import { printingOnce } from "./output.ts"
import { failed, interrupted } from "./report.ts"
import * as Terminal from "./terminal.ts"

const { version } = createRequire(import.meta.url)("@effect-pleo/cli/package.json")

const footer = HelpDoc.blocks([
  HelpDoc.h1("VARIABLES"),
  HelpDoc.p("PLEO_ACCESS_TOKEN or PLEO_API_KEY, the credential. No secret is ever passed in an option."),
  HelpDoc.p("PLEO_SERVER, PLEO_STORE and PLEO_FLEET, the defaults of --server, --store and --fleet."),
  HelpDoc.p("PLEO_CLIENT_ID and PLEO_CLIENT_SECRET, the app, for --tenant, connect and fleet."),
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

/** Returns the exit code, unless it is interrupted. */
export const program = (args: ReadonlyArray<string>): Effect.Effect<number> => {
  const json = args.includes("--json")
  const normalized = normalize(args)
  const script = normalized[0] === "--completions" ? completions(root, groups, normalized[1]) : undefined
  // The first two are Node.js and its script.
  return (script === undefined ? run(["", "", ...normalized]) : Terminal.print(script)).pipe(
    Effect.as(0),
    Effect.catchAllCause((cause) =>
      Cause.isInterruptedOnly(cause) ? Effect.interrupt : failed(Cause.squash(cause), json)
    ),
    Effect.onInterrupt(() => interrupted(json)),
    printingOnce,
    Effect.provide(Terminal.layer)
  )
}
