// The token store that --store or PLEO_STORE names. The drivers are loaded when they are asked for.
import { closeSync, existsSync, openSync } from "node:fs"
import { resolve } from "node:path"
import { pathToFileURL } from "node:url"
import type { TokenStore } from "@effect-pleo/core/TokenStore"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import { CommandError, formatCode, UsageError } from "./failure.ts"

type Location =
  | { readonly _tag: "Sqlite"; readonly file: string }
  | { readonly _tag: "Postgres"; readonly url: Redacted.Redacted }

const hasPassword = (text: string): boolean => {
  if (!URL.canParse(text)) return true
  const url = new URL(text)
  return url.password !== "" || [...url.searchParams.keys()].some((key) => /pass/i.test(key))
}

const fail = (message: string) => Effect.fail(new UsageError({ message }))

/** The flag, or else the variable. Messages never quote them. */
export const locationOf = (
  flag: string | undefined,
  variable: string | undefined = process.env["PLEO_STORE"]
): Effect.Effect<Location, UsageError> => {
  const name = flag === undefined ? "PLEO_STORE" : "--store"
  const text = flag ?? variable ?? ""
  if (text === "")
    return fail("Name the token store: --store sqlite:FILE, or PLEO_STORE as sqlite:FILE or postgres://...")
  const [, file] = /^sqlite:(.+)$/s.exec(text) ?? []
  if (file !== undefined) return Effect.succeed({ _tag: "Sqlite", file })
  if (!/^postgres(?:ql)?:\/\//.test(text)) return fail(`${name}: expected sqlite:FILE or postgres://...`)
  return flag !== undefined && hasPassword(text)
    ? fail("--store: others on this machine see a password in a flag. Set the variable PLEO_STORE instead")
    : Effect.succeed({ _tag: "Postgres", url: Redacted.make(text) })
}

/** SQLite gives its other files the permissions of this one. */
const createPrivately = (file: string): void => closeSync(openSync(file, "a", 0o600))

const client = (location: Location, isCreated: boolean) =>
  Effect.gen(function* () {
    if (location._tag === "Postgres") {
      const { layer } = yield* Effect.promise(() => import("@effect/sql-pg/PgClient"))
      return layer({ url: location.url })
    }
    const { file } = location
    if (isCreated)
      yield* Effect.try({
        try: () => createPrivately(file),
        catch: (error) => new UsageError({ message: `The token store cannot be created${formatCode(error)}` })
      })
    else if (!existsSync(file))
      return yield* fail("The token store does not exist: check the file's name, or run connect first")
    const { layer } = yield* Effect.promise(() => import("@effect/sql-libsql/LibsqlClient"))
    return layer({ url: pathToFileURL(resolve(file)).href })
  })

/** `isCreated`: whether a file that does not exist is created. */
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
