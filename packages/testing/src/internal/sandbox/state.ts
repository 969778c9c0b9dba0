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

const makeState = (given: Given) => ({
  marketplace: new Marketplace<RecordedRequest>((now) => ({
    id: crypto.randomUUID(),
    resource: `urn:pleo:company:${crypto.randomUUID()}`,
    createdAt: now,
    updatedAt: now,
    ...given.installation
  })),
  authorization: Authorization.make(given),
  registered: given as Registered
})

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
