// The customers of the app in the token store.
import * as OAuth from "@effect-pleo/core/OAuth"
import * as Chunk from "effect/Chunk"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { environment } from "./credentials.ts"
import type * as Json from "./json.ts"
import * as Store from "./store.ts"
import { paintOut, type Style, visible } from "./terminal.ts"

export const tenants = (server: string | undefined, store: string | undefined) =>
  OAuth.clientConfig.pipe(
    Effect.flatMap((client) => Stream.runCollect(OAuth.tenants(client))),
    Effect.map(Chunk.toReadonlyArray),
    Effect.map((all) => all.map(({ _tag, ...others }) => ({ ...others, state: _tag }))),
    Effect.provide(Store.layer(store)),
    Effect.provide(environment(server))
  )

const states: Readonly<Record<Json.Tenant["state"], readonly [text: string, style: Style]>> = {
  Active: ["connected", "green"],
  Refreshing: ["connected", "green"],
  Ended: ["must reconnect", "red"],
  Invalid: ["unreadable", "red"]
}

const width = 16

const line = ({ reason, state, tenant }: Json.Tenant): string => {
  const [text, style] = states[state]
  const why = reason === undefined ? "" : paintOut("dim", ` (${reason.toLowerCase()})`)
  return `${paintOut(style, text.padEnd(width))}${visible(tenant)}${why}`
}

export const table = (all: ReadonlyArray<Json.Tenant>): string =>
  all.length === 0 ? "No customer is connected." : all.map(line).join("\n")
