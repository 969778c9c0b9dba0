// Whose installation a command is for.
import { readFileSync } from "node:fs"
import * as Credentials from "@effect-pleo/core/Credentials"
import * as OAuth from "@effect-pleo/core/OAuth"
import * as NodeInstallationService from "@effect-pleo/node/NodeInstallationService"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import { formatCode, UsageError } from "./failure.ts"
import * as Prompt from "./prompt.ts"
import { serverOf } from "./server.ts"
import * as Store from "./store.ts"
import { isInteractive } from "./terminal.ts"

export interface Selection {
  readonly server: string | undefined
  readonly tenant: string | undefined
  readonly store: string | undefined
  readonly credentialFile: string | undefined
}

/**
 * The environment, with the server of the command line in it. In one map: a provider that falls back on another one
 * does so too if its own value is invalid, and a mistyped --server must not lead to production.
 */
export const environment = (server: string | undefined): Layer.Layer<never> =>
  Layer.setConfigProvider(
    ConfigProvider.fromMap(
      new Map(
        Object.entries({ ...process.env, PLEO_SERVER: serverOf(server) }).flatMap(([name, value]) =>
          value === undefined ? [] : [[name, value] as const]
        )
      )
    )
  )

const fromFile = (file: string) =>
  Effect.flatMap(
    Effect.try({
      try: () => readFileSync(file, "utf8"),
      catch: (error) => new UsageError({ message: `--credential-file: cannot read it${formatCode(error)}` })
    }),
    (text) => Credentials.bearer(Redacted.make(text.trim()))
  )

const variables = ["PLEO_ACCESS_TOKEN", "PLEO_API_KEY"]

const isSet = (name: string): boolean => Boolean(process.env[name])

const prompt = Effect.flatMap(Prompt.hidden("Access token"), Credentials.bearer)

const fixed = Effect.gen(function* () {
  if (variables.some(isSet)) return yield* Credentials.config
  if (isSet("PLEO_CLIENT_ID"))
    return yield* new UsageError({
      message: "PLEO_CLIENT_ID is set: name one of the app's customers with --tenant"
    })
  if (isInteractive()) return yield* prompt
  return yield* new UsageError({
    message: "Set PLEO_ACCESS_TOKEN or PLEO_API_KEY, or pass --credential-file or --tenant"
  })
})

const ofTenant = (tenant: string, store: string | undefined) =>
  Effect.gen(function* () {
    const opened = yield* Layer.build(Store.layer(store))
    const client = yield* OAuth.clientConfig
    return yield* Effect.provide(OAuth.credentials({ ...client, tenant }), opened)
  })

const credentialsOf = ({ credentialFile, store, tenant }: Selection) =>
  Effect.gen(function* () {
    const [given, other] = [
      ...(tenant === undefined ? [] : ["--tenant"]),
      ...(credentialFile === undefined ? [] : ["--credential-file"]),
      ...variables.filter(isSet)
    ]
    // One of them may be of another installation.
    if (other !== undefined)
      return yield* new UsageError({
        message: `${given} and ${other} are both given: leave out or unset one`
      })
    if (tenant !== undefined) return yield* ofTenant(tenant, store)
    return credentialFile === undefined ? yield* fixed : yield* fromFile(credentialFile)
  })

/** The service for the installation that was selected. */
export const layer = (selection: Selection) =>
  NodeInstallationService.layerConfig({ credentials: credentialsOf(selection) }).pipe(
    Layer.provide(environment(selection.server))
  )
