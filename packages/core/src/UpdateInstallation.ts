/**
 * The request that changes the status, the error code or the metadata of an installation.
 *
 * @since 0.1.0
 * @module
 */
import * as Schema from "effect/Schema"
import { InstallationErrorCode, InstallationStatus } from "./Installation.ts"
import { Metadata } from "./Metadata.ts"

/**
 * The contract's `UpdateInstallationRequest`. A plain object is a request. `status` is required; the two
 * others may be absent or `undefined`, and are then not sent. Whether Pleo keeps or clears what is left
 * out, and merges or replaces what is sent, the contract does not say.
 *
 * @example
 * ```ts
 * import * as assert from "node:assert/strict"
 * import { UpdateInstallation } from "@effect-pleo/core"
 * import * as Either from "effect/Either"
 * import * as Schema from "effect/Schema"
 *
 * const decode = Schema.decodeUnknownEither(UpdateInstallation.UpdateInstallation)
 *
 * // What another service asks for, in a message of a queue.
 * const request: UpdateInstallation.UpdateInstallation = { status: "ERROR", errorCode: "AUTH_ERROR" }
 * assert.deepEqual(decode(JSON.parse(JSON.stringify(request))), Either.right(request))
 * assert.ok(Either.isLeft(decode({ status: "BROKEN" })))
 * ```
 *
 * @since 0.1.0
 * @category schemas
 */
export const UpdateInstallation = Schema.Struct({
  status: InstallationStatus,
  errorCode: Schema.optional(InstallationErrorCode),
  metadata: Schema.optional(Metadata)
}).annotations({ identifier: "UpdateInstallationRequest" })

/**
 * @since 0.1.0
 * @category models
 */
export interface UpdateInstallation extends Schema.Schema.Type<typeof UpdateInstallation> {}

const withMetadata = (request: UpdateInstallation, metadata: Metadata | undefined): UpdateInstallation =>
  metadata === undefined ? request : { ...request, metadata }

const withStatus =
  (status: Exclude<InstallationStatus, "ERROR">) =>
  (metadata?: Metadata): UpdateInstallation =>
    withMetadata({ status }, metadata)

/**
 * A request that says that the installation works.
 *
 * @example
 * ```ts
 * import * as assert from "node:assert/strict"
 * import { UpdateInstallation } from "@effect-pleo/core"
 *
 * assert.deepEqual(UpdateInstallation.activated({ externalApplicationId: "123456789" }), {
 *   status: "ACTIVATED",
 *   metadata: { externalApplicationId: "123456789" }
 * })
 * ```
 *
 * @since 0.1.0
 * @category constructors
 */
export const activated = withStatus("ACTIVATED")

/**
 * A request that says that the installation is not in use at present.
 *
 * @example
 * ```ts
 * import * as assert from "node:assert/strict"
 * import { InstallationService, UpdateInstallation } from "@effect-pleo/core"
 * import { InstallationServiceTest } from "@effect-pleo/testing"
 * import * as Effect from "effect/Effect"
 *
 * // When the customer pauses the integration.
 * const pause = InstallationService.update(UpdateInstallation.inactive({ pausedBy: "customer" }))
 *
 * const { metadata } = await Effect.runPromise(Effect.provide(pause, InstallationServiceTest.layerTest()))
 * assert.deepEqual(metadata, { pausedBy: "customer" })
 * ```
 *
 * @since 0.1.0
 * @category constructors
 */
export const inactive = withStatus("INACTIVE")

/**
 * A request that says that the user has let the app in, but that it cannot be used yet.
 *
 * @example
 * ```ts
 * import * as assert from "node:assert/strict"
 * import { UpdateInstallation } from "@effect-pleo/core"
 *
 * // When there are tokens, and the customer has still to choose what to synchronise.
 * const afterConsent = (hasChosen: boolean) =>
 *   hasChosen ? UpdateInstallation.pendingIntegration() : UpdateInstallation.authorized()
 *
 * assert.deepEqual(afterConsent(false), { status: "AUTHORIZED" })
 * ```
 *
 * @since 0.1.0
 * @category constructors
 */
export const authorized = withStatus("AUTHORIZED")

/**
 * A request that says that the integration synchronises, or does other background work.
 *
 * @example
 * ```ts
 * import * as assert from "node:assert/strict"
 * import { InstallationService, UpdateInstallation } from "@effect-pleo/core"
 * import { InstallationServiceTest } from "@effect-pleo/testing"
 * import * as Effect from "effect/Effect"
 *
 * const synchronise = Effect.succeed(["vendors", "tax codes"])
 *
 * const program = Effect.gen(function* () {
 *   yield* InstallationService.update(UpdateInstallation.pendingIntegration())
 *   const synchronised = yield* synchronise
 *   return yield* InstallationService.update(UpdateInstallation.activated({ synchronised }))
 * })
 *
 * const { status } = await Effect.runPromise(Effect.provide(program, InstallationServiceTest.layerTest()))
 * assert.equal(status, "ACTIVATED")
 * ```
 *
 * @since 0.1.0
 * @category constructors
 */
export const pendingIntegration = withStatus("PENDING_INTEGRATION")

/**
 * A request that says that the installation does not work, and why.
 *
 * @example
 * ```ts
 * import * as assert from "node:assert/strict"
 * import { InstallationService, UpdateInstallation } from "@effect-pleo/core"
 * import { InstallationServiceTest } from "@effect-pleo/testing"
 * import * as Effect from "effect/Effect"
 *
 * // What the app itself needs does not let it in.
 * const work = Effect.fail("the password was changed")
 *
 * const program = work.pipe(
 *   Effect.catchAll((why) => InstallationService.update(UpdateInstallation.error("AUTH_ERROR", { why })))
 * )
 *
 * const installation = await Effect.runPromise(Effect.provide(program, InstallationServiceTest.layerTest()))
 * assert.equal(installation.errorCode, "AUTH_ERROR")
 * ```
 *
 * @since 0.1.0
 * @category constructors
 */
export const error = (errorCode: InstallationErrorCode, metadata?: Metadata): UpdateInstallation =>
  withMetadata({ status: "ERROR", errorCode }, metadata)
