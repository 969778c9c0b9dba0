// The commands, with their options.
import * as Args from "@effect/cli/Args"
import * as Command from "@effect/cli/Command"
import * as HelpDoc from "@effect/cli/HelpDoc"
import * as Options from "@effect/cli/Options"
import * as ValidationError from "@effect/cli/ValidationError"
import {
  InstallationErrorCode,
  InstallationStatus,
  type UpdateInstallation
} from "@effect-pleo/core/Installation"
import * as InstallationService from "@effect-pleo/core/InstallationService"
import * as RetryPolicy from "@effect-pleo/core/RetryPolicy"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Credentials from "./credentials.ts"
import { CommandError, UsageError } from "./failure.ts"
import * as Json from "./json.ts"
import { metadataOf } from "./metadata.ts"
import * as Output from "./output.ts"
import * as Prompt from "./prompt.ts"
import * as Sandbox from "./sandbox.ts"
import { productionNotice, serverOf } from "./server.ts"
import { isInteractive, paintErr, say, waiting } from "./terminal.ts"

const optionalText = (name: string, metavar: string, description: string) =>
  Options.text(name).pipe(
    Options.withPseudoName(metavar),
    Options.withDescription(description),
    Options.optional,
    Options.map(Option.getOrUndefined)
  )

const json = Options.boolean("json").pipe(
  Options.withDescription("Print one JSON value on stdout, also on failure.")
)
const server = optionalText(
  "server",
  "SERVER",
  "production, staging or a URL. Default: PLEO_SERVER, or else production."
)
const store = optionalText(
  "store",
  "STORE",
  "The token store: sqlite:FILE or postgres://... Default: PLEO_STORE, which may have a password."
)
const invalidOption = (message: string) => Effect.fail(ValidationError.invalidValue(HelpDoc.p(message)))

const timeout = Options.float("timeout").pipe(
  Options.withPseudoName("SECONDS"),
  Options.withDescription("The longest wait for Pleo, retries included. Default: 30 seconds."),
  Options.withDefault(30),
  Options.mapEffect((seconds) =>
    seconds > 0 && seconds <= 3600
      ? Effect.succeed(Duration.seconds(seconds))
      : invalidOption("--timeout: expected seconds, above 0 and at most 3600")
  )
)

const selection = {
  json,
  server,
  store,
  timeout,
  tenant: optionalText("tenant", "NAME", "The customer whose tokens are in the token store."),
  credentialFile: optionalText("credential-file", "FILE", "A file that has an access token and nothing else.")
}

const choices = <A extends string>(values: ReadonlyArray<A>) => values.map((value): [A, A] => [value, value])

const status = Args.choice(choices(InstallationStatus.literals), { name: "STATUS" })

const metadata = Options.text("metadata").pipe(
  Options.withPseudoName("KEY=VALUE"),
  Options.withDescription(
    "Metadata: key=value, whose value is a string, or @file.json. May be repeated. Without it, none is sent."
  ),
  Options.repeated
)

const port = (description: string) =>
  Options.integer("port").pipe(
    Options.withDescription(`${description} Default: any free port.`),
    Options.withDefault(0),
    Options.mapEffect((port) =>
      port >= 0 && port <= 65535
        ? Effect.succeed(port)
        : invalidOption("--port: expected a number from 0 to 65535")
    )
  )

interface Selected extends Credentials.Selection {
  readonly json: boolean
  readonly timeout: Duration.Duration
}

/** Runs a command for the selected installation. */
const withService =
  (command: string, { server, ...others }: Selected) =>
  <A, E, R>(self: Effect.Effect<A, E, R>) =>
    Effect.suspend(() => {
      const notice = productionNotice(command, serverOf(server))
      return Effect.zipRight(
        notice === undefined ? Effect.void : say(paintErr("loud", notice)),
        Effect.provide(self, Credentials.layer({ server, ...others }))
      )
    })

const request = <A, E, R>({ timeout }: Selected, self: Effect.Effect<A, E, R>) =>
  self.pipe(
    RetryPolicy.retry({ attemptTimeout: Duration.times(timeout, 1 / 3), deadline: timeout }),
    waiting("Waiting for Pleo")
  )

const whoami = Command.make("whoami", selection, (options) =>
  request(options, InstallationService.introspect()).pipe(
    Effect.flatMap((value) => Output.result(options.json, Json.Credential, value, Output.introspection)),
    withService("whoami", options)
  )
).pipe(Command.withDescription("Show whose credential this is: its app, its company, and its scopes."))

/** Sends a request for the selected installation, and prints the installation in the response. */
const printInstallation = <E, R>(
  command: string,
  options: Selected,
  self: Effect.Effect<typeof Json.Installation.Type, E, R>
) =>
  request(options, self).pipe(
    Effect.flatMap((value) => Output.result(options.json, Json.Installation, value, Output.installation)),
    withService(command, options)
  )

const get = Command.make("get", selection, (options) =>
  printInstallation("get", options, InstallationService.get())
).pipe(Command.withDescription("Show the installation as Pleo has it on record."))

/** The state of an update. */
const state = {
  status,
  errorCode: Options.choice("error-code", InstallationErrorCode.literals).pipe(
    Options.withDescription("Why the installation does not work."),
    Options.optional
  ),
  metadata
}

type State = Command.Command.ParseConfig<typeof state>

const requestOf = ({ errorCode, metadata, status }: State) =>
  Effect.map(
    metadataOf(metadata),
    (metadata): UpdateInstallation => ({
      status,
      ...(Option.isSome(errorCode) ? { errorCode: errorCode.value } : {}),
      ...metadata
    })
  )

const update = Command.make("update", { ...state, ...selection }, (options) =>
  Effect.flatMap(requestOf(options), (request) =>
    printInstallation("update", options, InstallationService.update(request))
  )
).pipe(Command.withDescription("Set the status, and optionally the error code and the metadata."))

const activate = Command.make("activate", selection, (options) =>
  printInstallation("activate", options, InstallationService.activate())
).pipe(Command.withDescription("Activate the installation."))

const create = Command.make(
  "create",
  { status: Args.optional(status), ...selection, metadata },
  ({ metadata, status, ...options }) =>
    Effect.flatMap(metadataOf(metadata), (metadata) =>
      printInstallation(
        "create",
        options,
        InstallationService.create({
          ...(Option.isSome(status) ? { status: status.value } : {}),
          ...metadata
        })
      )
    )
).pipe(Command.withDescription("Create the installation, as an API key requires."))

/** Asks a person, who has seen which installation it is. */
const confirmed = Effect.fnUntraced(function* (options: Selected) {
  const installation = yield* request(options, InstallationService.get())
  yield* say(Output.installation(installation))
  const isConfirmed = yield* Prompt.confirm("Delete this installation, and revoke its tokens?")
  if (!isConfirmed)
    return yield* new CommandError({ reason: "Declined", message: "Declined: nothing was deleted" })
})

const remove = Command.make(
  "delete",
  {
    ...selection,
    yes: Options.boolean("yes").pipe(Options.withDescription("Do not ask. Required without a terminal."))
  },
  ({ yes, ...options }) =>
    yes || isInteractive()
      ? Effect.zipRight(
          yes ? Effect.void : confirmed(options),
          request(options, InstallationService.delete())
        ).pipe(
          Effect.zipRight(
            Output.result(
              options.json,
              Json.Deleted,
              { deleted: true as const },
              () => "The installation is deleted."
            )
          ),
          withService("delete", options)
        )
      : Effect.fail(new UsageError({ message: "delete asks first: pass --yes where nobody can be asked" }))
).pipe(Command.withDescription("Delete the installation, which revokes its tokens. Asks first."))

const sandbox = Command.make(
  "sandbox",
  { json, port: port("Where it listens on 127.0.0.1.") },
  ({ json, port }) => Sandbox.run(port, json)
).pipe(Command.withDescription("Run Pleo's API on this machine, to try the other commands, until Ctrl-C."))

const connect = Command.make(
  "connect",
  {
    json,
    server,
    store,
    tenant: optionalText(
      "tenant",
      "NAME",
      "Your name for the customer. Default: Pleo's name for the company."
    ),
    scopes: Options.text("scope").pipe(
      Options.withPseudoName("SCOPE"),
      Options.withDescription("A permission that the app asks for. May be repeated."),
      Options.atLeast(1)
    ),
    port: port("The port of the redirect URI, http://localhost:PORT/callback, which the app has registered."),
    noOpen: Options.boolean("no-open").pipe(Options.withDescription("Print the URL without opening it."))
  },
  ({ json, noOpen, ...options }) =>
    Effect.promise(() => import("./connect.ts")).pipe(
      Effect.flatMap(({ connect }) => connect({ ...options, opensBrowser: !noOpen })),
      Effect.flatMap((tenant) =>
        Output.result(json, Json.Connected, { tenant }, () => Output.table([["tenant", tenant]]))
      )
    )
).pipe(
  Command.withDescription("Connect a customer: its consent in a browser, and its tokens in the token store.")
)

const tenants = Command.make("tenants", { json, server, store }, ({ json, server, store }) =>
  Effect.flatMap(
    Effect.promise(() => import("./tenants.ts")),
    ({ table, tenants }) =>
      Effect.flatMap(tenants(server, store), (all) => Output.result(json, Json.Tenants, all, table))
  )
).pipe(Command.withDescription("List the customers in the token store, and who has to connect again."))

const fleetStore = optionalText(
  "fleet",
  "STORE",
  "The fleet's store: sqlite:FILE or postgres://... Default: PLEO_FLEET, which may have a password."
)

const sender = {
  json: Options.boolean("json").pipe(
    Options.withDescription("Print JSON on stdout, a value a line, also on failure.")
  ),
  server,
  fleet: fleetStore,
  store,
  rateLimit: Options.float("rate-limit").pipe(
    Options.withPseudoName("NUMBER"),
    Options.withDescription("The most updates a second, if this command sends. Default: no limit."),
    Options.mapEffect((rate) =>
      rate > 0 ? Effect.succeed(rate) : invalidOption("--rate-limit: expected a number above 0")
    ),
    Options.optional,
    Options.map(Option.getOrUndefined)
  )
}

/** Its drivers, and those of the cluster, take a while to load. */
const Fleet = Effect.promise(() => import("./fleet.ts"))

const fleetSet = Command.make(
  "set",
  {
    ...state,
    customers: Args.text({ name: "CUSTOMER" }).pipe(
      Args.withDescription("Your name of a customer. May be repeated."),
      Args.repeated
    ),
    all: Options.boolean("all").pipe(
      Options.withDescription("All customers that are connected, instead of those named.")
    ),
    stdin: Options.boolean("stdin").pipe(
      Options.withDescription("The customers that standard input names, one a line.")
    ),
    watch: Options.boolean("watch").pipe(Options.withDescription("Then do as fleet watch does.")),
    ...sender
  },
  (options) =>
    Effect.flatMap(requestOf(options), (request) =>
      Effect.flatMap(Fleet, ({ set }) => set({ ...options, request }))
    )
).pipe(Command.withDescription("Store the state that customers should have, for a fleet to send."))

const fleetWatch = Command.make("watch", sender, (options) =>
  Effect.flatMap(Fleet, ({ watch }) => watch(options))
).pipe(
  Command.withDescription(
    "Show the progress until nothing is pending, and send the fleet of a SQLite file that no process runs."
  )
)

const fleetMigrate = Command.make(
  "migrate",
  {
    json,
    fleet: fleetStore,
    to: optionalText(
      "to",
      "STORE",
      "An empty store to copy to: sqlite:FILE or postgres://... Default: PLEO_FLEET_TO."
    )
  },
  (options) => Effect.flatMap(Fleet, ({ migrate }) => migrate(options))
).pipe(Command.withDescription("Copy the states to another store, while nothing uses either."))

const fleet = Command.make("fleet").pipe(
  Command.withDescription("Set the state of many customers, and watch how it is sent."),
  Command.withSubcommands([fleetSet, fleetWatch, fleetMigrate])
)

export const groups = { fleet: Command.getSubcommands(fleet) }

export const root = Command.make("effect-pleo").pipe(
  Command.withDescription("Read and change an installation in the Pleo App Marketplace by hand."),
  Command.withSubcommands([whoami, get, update, activate, create, remove, sandbox, connect, tenants, fleet])
)

const withValue =
  /^(--(?:completions|credential-file|error-code|fleet|log-level|metadata|port|rate-limit|scope|server|store|tenant|timeout|to))=(.*)$/s

/**
 * The arguments as @effect/cli takes them: `--metadata=a=b` beside `--metadata c=d` only as two arguments each, and
 * `--log-level` only as the first option.
 */
export const normalize = (args: ReadonlyArray<string>): ReadonlyArray<string> => {
  const separate = args.flatMap((arg) => {
    const [, name, value] = withValue.exec(arg) ?? []
    return name === undefined || value === undefined ? [arg] : [name, value]
  })
  const level = separate.indexOf("--log-level")
  return level < 0
    ? separate
    : [...separate.slice(level, level + 2), ...separate.slice(0, level), ...separate.slice(level + 2)]
}
