// Environment variables. An empty one is unset, since Docker Compose and CI systems pass on an unset variable as an empty
// one. A blank one is refused: nothing passes on an unset variable so.
import * as Config from "effect/Config"
import * as ConfigError from "effect/ConfigError"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import { validateText } from "./credentials.ts"

type Loaded<A> = Effect.Effect<A, ConfigError.ConfigError>

type Check = (value: string) => string | undefined

/** A variable. Its errors have the path that the config provider reads. */
const load = (name: string, check: Check): Loaded<string> =>
  Config.nested(
    Config.primitive("text", (value): Either.Either<string, ConfigError.ConfigError> => {
      if (value === "") return Either.left(ConfigError.MissingData([], "is empty"))
      const problem = validateText(value) ?? check(value)
      return problem === undefined ? Either.right(value) : Either.left(ConfigError.InvalidData([], problem))
    }),
    name
  )

const pathOf = (error: ConfigError.ConfigError): ReadonlyArray<string> =>
  "path" in error ? error.path : pathOf(error.left)

/** A variable that has to be set. `message` says to what. */
export const required = (name: string, message: string, check: Check = () => undefined): Loaded<string> =>
  Effect.mapError(load(name, check), (error) =>
    ConfigError.isMissingDataOnly(error) ? ConfigError.MissingData([...pathOf(error)], message) : error
  )

/** A variable, or `undefined` if it is unset. */
export const optional = (name: string, check: Check = () => undefined): Loaded<string | undefined> =>
  Effect.catchIf(load(name, check), ConfigError.isMissingDataOnly, () => Effect.succeed(undefined))

/** Fails if one of the variables is set. */
export const unset = (names: ReadonlyArray<string>, message: string): Loaded<void> =>
  Effect.forEach(names, (name) => optional(name, () => message), { discard: true })
