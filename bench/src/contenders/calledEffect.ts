import { Installation, UpdateInstallation } from "@effect-pleo/core/Installation"
import type { TimeoutException } from "effect/Cause"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import * as Schema from "effect/Schema"
import * as Undici from "undici"
import { asCalled } from "../support/asCalled.ts"
import { headersOf, path } from "../support/installation.ts"
import { attemptTimeout, baseDelay, isRetryableStatus, maxAttempts } from "../support/retry.ts"

const encode = Schema.encodeUnknown(UpdateInstallation)

const decode = Schema.decodeUnknown(Installation)

class StatusError extends Data.TaggedError("StatusError")<{ readonly status: number }> {}

class TransportError extends Data.TaggedError("TransportError")<{ readonly cause: unknown }> {}

const send = (url: string, token: string, text: string) =>
  Effect.tryPromise({
    try: async (signal) => {
      const { body, statusCode } = await Undici.request(url, {
        method: "PUT",
        headers: headersOf(token),
        body: text,
        signal
      })
      if (statusCode !== 200) {
        await body.dump()
        throw new StatusError({ status: statusCode })
      }
      return await body.json()
    },
    catch: (cause) => (cause instanceof StatusError ? cause : new TransportError({ cause }))
  })

const isRetryable = (error: StatusError | TransportError | TimeoutException): boolean =>
  error._tag !== "StatusError" || isRetryableStatus(error.status)

const schedule = Schedule.exponential(baseDelay).pipe(
  Schedule.jittered,
  Schedule.intersect(Schedule.recurs(maxAttempts - 1))
)

/** An update as an application needs it, written by hand in Effect: validation, a timeout for each attempt, retries. */
export const put = asCalled(({ server }) => {
  const url = server + path
  return (token, update) =>
    encode(update).pipe(
      Effect.flatMap((body) =>
        send(url, token, JSON.stringify(body)).pipe(
          Effect.timeout(attemptTimeout),
          Effect.retry({ schedule, while: isRetryable })
        )
      ),
      Effect.flatMap(decode),
      Effect.runPromise
    )
})
