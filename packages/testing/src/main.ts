// The sandbox as a command: `pnpm sandbox`, or `pnpm sandbox --port 8080`. It runs until it is interrupted.
import { parseArgs } from "node:util"
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Logger from "effect/Logger"
import * as LogLevel from "effect/LogLevel"
import { controlPrefix, tokenPath } from "./internal/sandbox/api.ts"
import * as Sandbox from "./Sandbox.ts"

const port = Effect.try({
  try: () => parseArgs({ options: { port: { type: "string", short: "p", default: "0" } } }).values.port,
  catch: () => new Error("The only option is --port <number>.")
}).pipe(
  Effect.map(Number),
  Effect.filterOrFail(
    (port) => Number.isInteger(port) && port >= 0 && port <= 65535,
    () => new Error("The port is a number from 0 (any free one) to 65535.")
  )
)

const usage = (url: string) => `The sandbox listens on ${url}

Update an installation: any bearer token or API key is accepted, and each has an installation of its own.
  curl -X PUT ${url}/v1/installations/me -H 'Authorization: Bearer any-token' \\
    -H 'Content-Type: application/json' -d '{"status":"ACTIVATED"}'

Make a grant with a first pair of tokens, and refresh them. A refresh token that is used twice revokes its
grant, and an access token that is no longer valid gets a 401.
  curl -X POST ${url}${controlPrefix}/grants
  curl ${url}${tokenPath} -d grant_type=refresh_token -d refresh_token=<refreshToken> \\
    -d client_id=any-id -d client_secret=any-secret

Expire the access token of a grant, or revoke the grant.
  curl -X POST ${url}${controlPrefix}/grants/<id>/expire
  curl -X DELETE ${url}${controlPrefix}/grants/<id>

Inject a fault into the next two requests: status, delay (milliseconds), resetConnection, loseResponse,
stallResponse or malformedResponse.
  curl ${url}${controlPrefix}/faults -H 'Content-Type: application/json' \\
    -d '{"fault":{"_tag":"status","status":503},"times":2}'
  curl ${url}${controlPrefix}/faults -H 'Content-Type: application/json' \\
    -d '{"fault":{"_tag":"delay","duration":5000},"path":"${tokenPath}"}'

Read the record of the requests received, which never holds a credential.
  curl ${url}${controlPrefix}/requests
`

const run = Effect.flatMap(Sandbox.Sandbox, ({ url }) =>
  Effect.zipRight(Console.log(usage(url)), Effect.never)
)

const program = port.pipe(
  Effect.flatMap((port) => Effect.provide(run, Sandbox.layer({ port }))),
  Effect.mapError((error) =>
    error instanceof Error && "cause" in error && error.cause instanceof Error
      ? `The sandbox cannot listen: ${error.cause.message}.`
      : error.message
  ),
  Effect.tapError(Console.error),
  Logger.withMinimumLogLevel(LogLevel.Debug)
)

NodeRuntime.runMain(program, { disableErrorReporting: true })
