// The methods of `InstallationService`, each with its own steps around the one request in its installation's queue.
import * as Effect from "effect/Effect"
import type * as Either from "effect/Either"
import type { BadRequest, InstallationError } from "../../InstallationError.ts"
import { InstallationService } from "../../InstallationService.ts"
import type { OperationOf } from "../contract/operations.ts"
import * as operations from "../contract/operations.ts"
import { withFields } from "../http/failure.ts"
import { type CallContext, withCallContext } from "./scope.ts"

type Called<A> = Effect.Effect<A, InstallationError>

/** An attempt at a call, with its credential. */
interface Attempt {
  /** Whether an earlier attempt may have been applied. */
  readonly isAmbiguous: boolean
}

/** How an operation differs from one request in order. */
export interface Variation<A, Own extends Attempt> {
  /** Whether it waits for no other call. */
  readonly isConcurrent?: boolean
  /** Makes the requests of an attempt. */
  readonly send?: (attempt: Own, body: string | undefined) => Called<A>
  /** Interprets the end of an attempt. */
  readonly settle?: (attempt: Attempt, self: Called<A>) => Called<A>
}

/** The way of a call. */
interface Pipeline<Own extends Attempt> {
  /** Makes one attempt at a call. */
  readonly perform: <A>(
    operation: OperationOf<A>,
    context: CallContext,
    value: unknown,
    variation: Variation<A, Own>
  ) => Called<A>
  /** The body of a request as JSON. */
  readonly encode: <A>(
    operation: OperationOf<A>,
    value: unknown
  ) => Either.Either<string | undefined, BadRequest>
  /** Sends one request of an attempt. `body` is JSON, or the query as JSON. */
  readonly request: <A>(
    operation: OperationOf<A>,
    context: CallContext,
    attempt: Own,
    body: string | undefined
  ) => Called<A>
  /** Ends the grant of an attempt, which Pleo has revoked. */
  readonly end: (attempt: Own) => Effect.Effect<void>
}

const inOrder = {}
const concurrent = { isConcurrent: true }

const isNotFound = (error: InstallationError): boolean => error._tag === "BadRequest" && error.status === 404

// The contract describes no 404 for `get`, but a 400.
const isAbsent = (error: InstallationError): boolean =>
  isNotFound(error) || (error._tag === "BadRequest" && error.status === 400)

const isEnded = (error: InstallationError): boolean =>
  error._tag === "Unauthorized" && error.reason === "ReauthorizationRequired"

const {
  activateInstallation,
  createInstallation,
  deleteInstallation,
  getInstallation,
  introspect,
  updateInstallation,
  updateMetadata
} = operations

export const make = <Own extends Attempt>({
  encode,
  end,
  perform,
  request
}: Pipeline<Own>): InstallationService["Type"] => {
  /** Reads the installation in an attempt at another operation. A failure has applied nothing. */
  const read = (context: CallContext, attempt: Own) =>
    Effect.mapError(request(getInstallation, context, attempt, "{}"), (error) =>
      withFields(error, { operation: "get" })
    )

  return InstallationService.of({
    get: ({ companyId, inOrder: isInOrder = false } = {}) =>
      withCallContext((context) =>
        perform(getInstallation, context, { companyId }, isInOrder ? inOrder : concurrent)
      ),
    create: (value = {}) =>
      withCallContext((context) =>
        perform(createInstallation, context, value, {
          send: (attempt, body) => {
            const post = Effect.suspend(() => request(createInstallation, context, attempt, body))
            if (!attempt.isAmbiguous) return post
            // A second POST could fail because of the first one, or undo a newer change.
            return Effect.catchIf(read(context, attempt), isAbsent, () => post)
          }
        })
      ),
    update: (value) => withCallContext((context) => perform(updateInstallation, context, value, inOrder)),
    updateMetadata: (change) =>
      withCallContext((context) =>
        perform(updateMetadata, context, undefined, {
          send: (attempt) =>
            Effect.flatMap(read(context, attempt), ({ errorCode, metadata, status }) =>
              Effect.flatMap(
                Effect.suspend(() =>
                  encode(updateInstallation, { status, errorCode, metadata: change(metadata) })
                ),
                (body) => request(updateInstallation, context, attempt, body)
              )
            )
        })
      ),
    activate: () => withCallContext((context) => perform(activateInstallation, context, undefined, inOrder)),
    delete: () =>
      withCallContext((context) =>
        perform(deleteInstallation, context, undefined, {
          send: (attempt, body) =>
            request(deleteInstallation, context, attempt, body).pipe(
              Effect.catchIf(
                (error) => attempt.isAmbiguous && isNotFound(error),
                () => Effect.void
              ),
              Effect.tap(() => end(attempt))
            ),
          // The earlier attempt has revoked the tokens.
          settle: ({ isAmbiguous }, self) =>
            Effect.catchIf(
              self,
              (error) => isAmbiguous && isEnded(error),
              () => Effect.void
            )
        })
      ),
    introspect: () => withCallContext((context) => perform(introspect, context, undefined, concurrent))
  })
}
