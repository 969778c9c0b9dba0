// Sends one request, and receives its response, until a deadline.
import * as Effect from "effect/Effect"
import type { Span } from "effect/Tracer"
import type * as Transport from "../../Transport.ts"
import * as Deadline from "./deadline.ts"

/** The attempt of a request. */
export interface Attempt extends Deadline.Waiter {
  readonly span: Span | undefined
  /** Whether the request may have been sent. */
  isSent: boolean
}

/** Sends a request to one URL. */
export type Send = (
  request: Transport.Request,
  attempt: Attempt
) => Effect.Effect<Transport.Response, Transport.Failure | Deadline.TimedOut>

type Method = Parameters<Transport.Transport>[0]

export type Sender = (method: Method, url: URL) => Send

export const fromTransport =
  (transport: Transport.Transport): Sender =>
  (method, url) => {
    const send = transport(method, url)
    return (request, attempt) =>
      Deadline.callback(attempt, (resume) => {
        attempt.isSent = true
        const cancel = send(request, resume)
        return () => {
          attempt.isSent = cancel()
        }
      })
  }

/** A sender over effects. Their interruption may take time, and does not report whether the request was sent. */
export const fromEffects =
  (
    to: (
      method: Method,
      url: URL
    ) => (
      request: Transport.Request,
      span: Span | undefined
    ) => Effect.Effect<Transport.Response, Transport.Failure>
  ): Sender =>
  (method, url) => {
    const send = to(method, url)
    return (request, attempt) =>
      Effect.suspend(() => {
        attempt.isSent = true
        return Deadline.effect(attempt.deadline, send(request, attempt.span))
      })
  }
