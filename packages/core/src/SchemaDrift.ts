/**
 * Pleo's answers may come to hold what this version does not know. That never fails an update.
 *
 * @module
 * @since 0.1.0
 */
import type * as Effect from "effect/Effect"

/**
 * Something in an answer that this version does not know.
 *
 * @example
 * ```ts
 * import * as assert from "node:assert/strict"
 * import type { SchemaDrift } from "@effect-pleo/core"
 *
 * const describe = ({ kind, name }: SchemaDrift.SchemaDrift): string =>
 *   kind === "field" ? `a new field, ${name}` : `a new ${kind}: ${name}`
 *
 * assert.equal(describe({ kind: "status", name: "PAUSED" }), "a new status: PAUSED")
 * ```
 *
 * @since 0.1.0
 * @category models
 */
export interface SchemaDrift {
  /** A value of the field `status` or `errorCode`, or a field of its own. */
  readonly kind: "status" | "errorCode" | "field"
  /** The value or the name of the field: at most 128 characters, and no secret of the request. */
  readonly name: string
}

/**
 * Is told of what a client did not know, once for each `kind` and `name`, of at most 64 in all. It runs beside the
 * updates: they neither wait for it nor fail with it. What it dies of is logged as a warning.
 *
 * @example
 * ```ts
 * import * as assert from "node:assert/strict"
 * import * as HttpClient from "@effect/platform/HttpClient"
 * import * as HttpClientResponse from "@effect/platform/HttpClientResponse"
 * import { Credentials, InstallationClient, InstallationService, type SchemaDrift } from "@effect-pleo/core"
 * import * as Deferred from "effect/Deferred"
 * import * as Effect from "effect/Effect"
 * import * as Redacted from "effect/Redacted"
 *
 * const installation = {
 *   id: "00000000-0000-4000-8000-000000000001",
 *   applicationId: "00000000-0000-4000-8000-000000000002",
 *   resource: "urn:pleo:company:1",
 *   status: "PAUSED",
 *   metadata: {},
 *   createdAt: "2025-01-01T00:00:00Z",
 *   updatedAt: "2025-01-01T00:00:00Z"
 * }
 * const pleoOfTomorrow = HttpClient.make((request) =>
 *   Effect.succeed(HttpClientResponse.fromWeb(request, Response.json(installation)))
 * )
 *
 * const program = Effect.gen(function* () {
 *   const heard = yield* Deferred.make<SchemaDrift.SchemaDrift>()
 *   const onDrift: SchemaDrift.OnDrift = (drift) => Deferred.succeed(heard, drift)
 *   yield* InstallationService.update({ status: "INACTIVE" }).pipe(
 *     Effect.provide(
 *       InstallationClient.layer({ credentials: Credentials.apiKey(Redacted.make("key")), onDrift })
 *     )
 *   )
 *   assert.deepEqual(yield* Deferred.await(heard), { kind: "status", name: "PAUSED" })
 * })
 *
 * await program.pipe(Effect.provideService(HttpClient.HttpClient, pleoOfTomorrow), Effect.runPromise)
 * ```
 *
 * @since 0.1.0
 * @category models
 */
export type OnDrift = (drift: SchemaDrift) => Effect.Effect<void>
