// The metadata of a request, from the command line.
import { readFileSync } from "node:fs"
import type { Json, Metadata } from "@effect-pleo/core/Metadata"
import * as Effect from "effect/Effect"
import { formatCode, UsageError } from "./failure.ts"

type Entries = ReadonlyArray<readonly [key: string, value: Json]>

const isObject = (value: unknown): value is Metadata =>
  typeof value === "object" && value !== null && !Array.isArray(value)

const readEntries = (file: string): Effect.Effect<Entries, UsageError> =>
  Effect.flatMap(
    Effect.try({
      try: () => readFileSync(file, "utf8"),
      catch: (error) => new UsageError({ message: `--metadata: cannot read ${file}${formatCode(error)}` })
    }),
    (text) =>
      Effect.try({
        try: () => {
          const value: unknown = JSON.parse(text)
          if (!isObject(value)) throw new Error("not an object")
          return Object.entries(value)
        },
        // The error of the parser quotes the file.
        catch: () => new UsageError({ message: `--metadata: ${file} is not a JSON object` })
      })
  )

const parse = (argument: string): Effect.Effect<Entries, UsageError> => {
  if (argument.startsWith("@")) return readEntries(argument.slice(1))
  const end = argument.indexOf("=")
  return end < 1
    ? Effect.fail(new UsageError({ message: "--metadata: expected key=value or @file.json" }))
    : Effect.succeed([[argument.slice(0, end), argument.slice(end + 1)]])
}

/** The metadata of all `--metadata` options, or nothing without any. Of two values of a key, the last one counts. */
export const metadataOf = (
  options: ReadonlyArray<string>
): Effect.Effect<{ readonly metadata?: Metadata }, UsageError> =>
  options.length === 0
    ? Effect.succeed({})
    : Effect.map(Effect.forEach(options, parse), (entries) => ({
        metadata: Object.fromEntries(entries.flat())
      }))
