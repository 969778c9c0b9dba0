// Results: a few aligned lines, or one JSON value.
import type { Installation } from "@effect-pleo/core/Installation"
import type { Introspection } from "@effect-pleo/core/Introspection"
import * as Context from "effect/Context"
import * as DateTime from "effect/DateTime"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { paintOut, print, type Style, visible } from "./terminal.ts"

type Row = readonly [label: string, value: string | undefined, style?: Style]

const width = 12

/** Rows without a value are left out. */
export const table = (rows: ReadonlyArray<Row>): string =>
  rows
    .flatMap(([label, value, style]) => {
      if (value === undefined) return []
      const text = visible(value)
      return `${paintOut("dim", label.padEnd(width))}${style === undefined ? text : paintOut(style, text)}`
    })
    .join("\n")

const styleOf = (status: string): Style =>
  status === "ACTIVATED" ? "green" : status === "ERROR" ? "red" : "yellow"

export const installation = (each: Installation): string =>
  table([
    ["status", each.status, styleOf(each.status)],
    ["error code", each.errorCode, "red"],
    ["company", each.resource],
    ["metadata", JSON.stringify(each.metadata)],
    ["id", each.id],
    ["app", each.applicationId],
    ["created", DateTime.formatIso(each.createdAt)],
    ["updated", DateTime.formatIso(each.updatedAt)]
  ])

export const introspection = (each: Introspection): string =>
  table([
    ["app", each.applicationName],
    ["client", each.clientId],
    ["company", each.subject],
    ["method", each.authMethod],
    ["scopes", each.scopes.join(" ")]
  ])

/** JSON leaves some characters as they are that a terminal obeys. */
const toJson = (value: unknown): string => visible(JSON.stringify(value))

/** Whether this run has printed its JSON value. */
export class Printed extends Context.Tag("@effect-pleo/cli/Printed")<Printed, { isPrinted: boolean }>() {}

/** In one run, prints the first JSON value only: the sandbox has printed its URL when it is interrupted. */
export const printingOnce = <A, E, R>(
  self: Effect.Effect<A, E, R>
): Effect.Effect<A, E, Exclude<R, Printed>> =>
  Effect.suspend(() => Effect.provideService(self, Printed, { isPrinted: false }))

/** Prints one of several JSON values. */
export const line = <A, I>(schema: Schema.Schema<A, I>, value: A): Effect.Effect<void> =>
  Effect.flatMap(Effect.orDie(Schema.encode(schema)(value)), (encoded) => print(toJson(encoded)))

/** Prints a result as its schema encodes it, or as people read it. */
export const result = <A, I>(
  json: boolean,
  schema: Schema.Schema<A, I>,
  value: A,
  human: (value: A) => string
): Effect.Effect<void, never, Printed> =>
  json
    ? Effect.flatMap(Printed, (printed) => {
        if (printed.isPrinted) return Effect.void
        printed.isPrinted = true
        return line(schema, value)
      })
    : Effect.suspend(() => print(human(value)))
