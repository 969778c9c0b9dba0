// The stores that options or variables name: that of tokens, and a fleet's. The drivers are loaded when they are asked for.
import { closeSync, existsSync, openSync } from "node:fs"
import { resolve } from "node:path"
import { pathToFileURL } from "node:url"
import type { TokenStore } from "@effect-pleo/core/TokenStore"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import { CommandError, formatCode, UsageError } from "./failure.ts"

export type Location =
  | { readonly _tag: "Sqlite"; readonly file: string }
  | { readonly _tag: "Postgres"; readonly url: Redacted.Redacted }

const hasPassword = (text: string): boolean => {
  if (!URL.canParse(text)) return true
  const url = new URL(text)
  return url.password !== "" || [...url.searchParams.keys()].some((key) => /pass/i.test(key))
}

const fail = (message: string) => Effect.fail(new UsageError({ message }))

interface Kind {
  readonly name: string
  readonly flag: string
  readonly variable: string
  /** The command that creates it. */
  readonly command: string
}

const tokens: Kind = {
  name: "token store",
  flag: "--store",
  variable: "PLEO_STORE",
  command: "connect"
}
export const fleet: Kind = {
  name: "fleet's store",
  flag: "--fleet",
  variable: "PLEO_FLEET",
  command: "fleet set"
}
export const target: Kind = {
  name: "target",
  flag: "--to",
  variable: "PLEO_FLEET_TO",
  command: "fleet migrate"
}

/** The flag, or else the variable. Messages never quote them. */
export const locationOf = (
  flag: string | undefined,
  kind: Kind = tokens,
  variable: string | undefined = process.env[kind.variable]
): Effect.Effect<Location, UsageError> => {
  const name = flag === undefined ? kind.variable : kind.flag
  const text = flag ?? variable ?? ""
  if (text === "")
    return fail(
      `Name the ${kind.name}: ${kind.flag} sqlite:FILE, or ${kind.variable} as sqlite:FILE or postgres://...`
    )
  const [, file] = /^sqlite:(.+)$/s.exec(text) ?? []
  if (file !== undefined) return Effect.succeed({ _tag: "Sqlite", file })
  if (!/^postgres(?:ql)?:\/\//.test(text)) return fail(`${name}: expected sqlite:FILE or postgres://...`)
  return flag !== undefined && hasPassword(text)
    ? fail(
        `${kind.flag}: others on this machine see a password in a flag. Set the variable ${kind.variable} instead`
      )
    : Effect.succeed({ _tag: "Postgres", url: Redacted.make(text) })
}

/** SQLite gives its other files the permissions of this one. */
const createPrivately = (file: string): void => closeSync(openSync(file, "a", 0o600))

/** `isCreated`: whether a file that does not exist is created. */
export const prepareFile = (
  file: string,
  { command, name }: Kind,
  isCreated: boolean
): Effect.Effect<void, UsageError> => {
  if (isCreated)
    return Effect.try({
      try: () => createPrivately(file),
      catch: (error) => new UsageError({ message: `The ${name} cannot be created${formatCode(error)}` })
    })
  return existsSync(file)
    ? Effect.void
    : fail(`The ${name} does not exist: check the file's name, or run ${command} first`)
}

export const postgres = (url: Redacted.Redacted) =>
  Effect.map(
    Effect.promise(() => import("@effect/sql-pg/PgClient")),
    ({ layer }) => layer({ url })
  )

const client = (location: Location, isCreated: boolean) =>
  Effect.gen(function* () {
    if (location._tag === "Postgres") return yield* postgres(location.url)
    const { file } = location
    yield* prepareFile(file, tokens, isCreated)
    const { layer } = yield* Effect.promise(() => import("@effect/sql-libsql/LibsqlClient"))
    return layer({ url: pathToFileURL(resolve(file)).href })
  })

export const layer = (
  flag: string | undefined,
  isCreated = false
): Layer.Layer<TokenStore, UsageError | CommandError> =>
  Layer.unwrapEffect(
    Effect.gen(function* () {
      const sql = yield* client(yield* locationOf(flag), isCreated)
      const { layer } = yield* Effect.promise(() => import("@effect-pleo/sql/SqlTokenStore"))
      return Layer.provide(layer, sql).pipe(
        // A driver's message may quote the URL.
        Layer.catchAll((error) =>
          Layer.fail(
            new CommandError({
              reason: "TokenStore",
              message: `The token store cannot be opened${formatCode(error)}`
            })
          )
        )
      )
    })
  )
