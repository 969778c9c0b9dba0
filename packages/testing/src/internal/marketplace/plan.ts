// Turns a fault into the end of a request, for both hosts: in memory and over HTTP.
import type { UpdateInstallation } from "@effect-pleo/core/Installation"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"

export const TypeId: unique symbol = Symbol.for("@effect-pleo/testing/Fault")

export interface Fault<out E> {
  readonly [TypeId]: Plan<E>
}

/** A request, as far as a fault may depend on it. */
export interface Target {
  readonly method: string
  readonly path: string
  readonly update?: UpdateInstallation
  readonly tenant?: string
  readonly grant?: string
}

export interface Response {
  readonly status: number
  /** By their names in lower case. */
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

/** How a request ends. `Served` is without a fault, but for the delays. */
type End<E> =
  | { readonly _tag: "Served" }
  | { readonly _tag: "Response"; readonly response: Response }
  | { readonly _tag: "ConnectionReset" }
  | { readonly _tag: "NoResponse" }
  | { readonly _tag: "Failure"; readonly error: E }

export interface Plan<out E = never> {
  /** For a person to read. */
  readonly label: string
  /** The only path it is for, if another process injected it for one. */
  readonly path?: string
  readonly end: End<E>
  readonly times: number
  readonly when: (target: Target) => boolean
  /** Before anything else. */
  readonly after: Duration.Duration
  /** Between serving the request and its end. */
  readonly delay: Duration.Duration
  /** Whether the request is served, whatever its end is. */
  readonly isApplied: boolean
}

/** The side that carries out a plan. */
export interface Host<A, E, R, Error> {
  /** Applies the request, which makes the response. */
  readonly serve: Effect.Effect<A, E, R>
  readonly respond: (response: Response) => Effect.Effect<A, E, R>
  readonly resetConnection: Effect.Effect<A, E, R>
  readonly fail: (error: Error) => Effect.Effect<A, E, R>
  /** Waits for as long as the client does. */
  readonly wait: <B>(self: Effect.Effect<B>) => Effect.Effect<B>
}

/** Carries out a plan. Nothing can interrupt it but while it waits. */
export const run = <A, E, R, Error>(
  { after, delay, end, isApplied }: Plan<Error>,
  { fail, resetConnection, respond, serve, wait }: Host<A, E, R, Error>
): Effect.Effect<A, E, R> => {
  const sleep = (duration: Duration.Duration) =>
    Duration.equals(duration, Duration.zero) ? Effect.void : wait(Effect.sleep(duration))
  const finish = (): Effect.Effect<A, E, R> => {
    switch (end._tag) {
      case "Served":
        return serve
      case "Response":
        return respond(end.response)
      case "ConnectionReset":
        return resetConnection
      case "NoResponse":
        return wait(Effect.never)
      case "Failure":
        return fail(end.error)
    }
  }
  const served =
    end._tag === "Served"
      ? Effect.tap(serve, () => sleep(delay))
      : Effect.zipRight(
          isApplied ? serve : Effect.void,
          Effect.zipRight(sleep(delay), Effect.suspend(finish))
        )
  return Effect.zipRight(sleep(after), served)
}
