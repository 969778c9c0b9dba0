import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"

/** Sets variables of this process's environment until the scope is closed. */
export const setVariables = (
  variables: Readonly<Record<string, string>>
): Effect.Effect<void, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.sync(() => {
      const before = Object.keys(variables).map((name) => [name, process.env[name]] as const)
      Object.assign(process.env, variables)
      return before
    }),
    (before) =>
      Effect.sync(() => {
        for (const [name, value] of before) {
          if (value === undefined) delete process.env[name]
          else process.env[name] = value
        }
      })
  ).pipe(Effect.asVoid)
