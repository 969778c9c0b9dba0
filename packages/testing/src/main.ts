// The sandbox as a command: `pnpm sandbox`, or `pnpm sandbox --port 8080`. It runs until it is interrupted.
import { parseArgs } from "node:util"
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Logger from "effect/Logger"
import * as LogLevel from "effect/LogLevel"
import { authorizePath, controlPrefix, tokenPath } from "./internal/sandbox/api.ts"
import * as Sandbox from "./Sandbox.ts"

const help = `Usage: sandbox [--port <number>]

Runs the API of Pleo's App Marketplace and its authorization server on 127.0.0.1, until it is interrupted.

  -p, --port <number>  0 (the default) takes any free port
  -h, --help           prints this`

const options = Effect.try({
  try: () =>
    parseArgs({
      options: {
        port: { type: "string", short: "p", default: "0" },
        help: { type: "boolean", short: "h", default: false }
      }
    }).values,
  catch: () => new Error("The options are --port <number> and --help.")
})

const parsePort = (text: string) =>
  Effect.filterOrFail(
    Effect.succeed(/^\d+$/.test(text) ? Number(text) : Number.NaN),
    (port) => port <= 65535,
    () => new Error("The port is a number from 0 (any free one) to 65535.")
  )

const usage = (url: string) => `Sandbox: ${url}

Each bearer token and each API key has an installation of its own.
  curl -X PUT ${url}/v1/installations/me -H 'Authorization: Bearer any' -d '{"status":"ACTIVATED"}' \\
    -H 'Content-Type: application/json'
  curl ${url}${controlPrefix}/faults -d '{"fault":{"_tag":"status","status":503},"times":2}'
  curl ${url}${controlPrefix}/requests   # or installations, grants, faults

OAuth: ${url}${authorizePath} and ${url}${tokenPath}
`

const run = (port: number) =>
  Effect.flatMap(Sandbox.Sandbox, ({ url }) => Effect.zipRight(Console.log(usage(url)), Effect.never)).pipe(
    Effect.provide(Sandbox.layer({ port }))
  )

const program = options.pipe(
  Effect.flatMap((options) =>
    options.help ? Console.log(help) : Effect.flatMap(parsePort(options.port), run)
  ),
  Effect.mapError((error) =>
    error instanceof Error && "cause" in error && error.cause instanceof Error
      ? `The sandbox cannot listen: ${error.cause.message}.`
      : error.message
  ),
  Effect.tapError(Console.error),
  Logger.withMinimumLogLevel(LogLevel.Debug)
)

NodeRuntime.runMain(program, { disableErrorReporting: true })
