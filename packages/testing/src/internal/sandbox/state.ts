import type { Installation } from "@effect-pleo/core/Installation"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { Marketplace } from "../marketplace/marketplace.ts"
import type { RecordedRequest } from "./api.ts"
import * as Authorization from "./authorization.ts"
import type { Registered } from "./consent.ts"

interface Given extends Authorization.Expected, Registered {
  readonly installation?: Partial<Installation> | undefined
}

/** Names for owners by their keys. A key that holds a credential gets a number, in the order of their first updates. */
const makeNames = () => {
  const credentials = new Map<string, string>()
  return {
    /** The name of a credential that has one already. */
    known: (key: string): string | undefined => credentials.get(key),
    of: (key: string): string => {
      if (/^(company|grant) /.test(key)) return key
      const kind = key.startsWith("Basic ") ? "API key" : "Bearer token"
      const name = credentials.get(key) ?? `${kind} ${credentials.size + 1}`
      credentials.set(key, name)
      return name
    }
  }
}

const makeState = (given: Given) => {
  const listeners = new Set<() => void>()
  const changed = () => {
    for (const listener of listeners) listener()
  }
  return {
    /** Tells a sandbox from another one at the same address. */
    id: crypto.randomUUID(),
    /** Told of each change, as often as it comes. */
    listeners,
    names: makeNames(),
    marketplace: new Marketplace<RecordedRequest>(
      (now) => ({
        id: crypto.randomUUID(),
        resource: `urn:pleo:company:${crypto.randomUUID()}`,
        createdAt: now,
        updatedAt: now,
        ...given.installation
      }),
      changed
    ),
    authorization: Authorization.make(given, changed),
    registered: given as Registered
  }
}

/** The state of a running sandbox. */
export class SandboxState extends Context.Tag("@effect-pleo/testing/SandboxState")<
  SandboxState,
  ReturnType<typeof makeState>
>() {}

export const layer = (given: Given): Layer.Layer<SandboxState> =>
  Layer.effect(
    SandboxState,
    Effect.sync(() => makeState(given))
  )
