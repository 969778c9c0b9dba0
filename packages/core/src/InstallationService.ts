/**
 * Updating the installation that the credential belongs to.
 *
 * @since 0.1.0
 * @module
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type { Installation } from "./Installation.ts"
import type { InstallationError } from "./InstallationError.ts"
import type { UpdateInstallation } from "./UpdateInstallation.ts"

/**
 * What the layers of this project provide, and what a unit test replaces.
 *
 * @example
 * ```ts
 * import { InstallationService, UpdateInstallation } from "@effect-pleo/core"
 * import { InstallationServiceTest } from "@effect-pleo/testing"
 * import * as Context from "effect/Context"
 * import * as Effect from "effect/Effect"
 * import * as Layer from "effect/Layer"
 *
 * // A service of yours that depends on it, and hides that from those who use it.
 * class Connector extends Context.Tag("Connector")<Connector, { readonly start: Effect.Effect<void> }>() {}
 *
 * const live = Layer.effect(
 *   Connector,
 *   Effect.map(InstallationService.InstallationService, ({ update }) => ({
 *     start: Effect.ignore(update(UpdateInstallation.pendingIntegration()))
 *   }))
 * )
 *
 * await Effect.flatMap(Connector, ({ start }) => start).pipe(
 *   Effect.provide(live),
 *   Effect.provide(InstallationServiceTest.layerTest()),
 *   Effect.runPromise
 * )
 * ```
 *
 * @since 0.1.0
 * @category tags
 */
export class InstallationService extends Context.Tag("@effect-pleo/core/InstallationService")<
  InstallationService,
  {
    /**
     * Changes the status, the error code or the metadata of the installation (`PUT /v1/installations/me`)
     * and gives the installation as Pleo then has it. Sends one request: retries and timeouts are the
     * caller's to compose.
     */
    readonly update: (request: UpdateInstallation) => Effect.Effect<Installation, InstallationError>
  }
>() {}

/**
 * `update` of the `InstallationService` in the environment.
 *
 * @example
 * ```ts
 * import * as assert from "node:assert/strict"
 * import { InstallationService } from "@effect-pleo/core"
 * import { InstallationServiceTest } from "@effect-pleo/testing"
 * import * as Effect from "effect/Effect"
 *
 * const program = InstallationService.update({
 *   status: "ACTIVATED",
 *   metadata: { externalApplicationId: "123456789" }
 * }).pipe(
 *   Effect.map(({ metadata, status }) => `${status} as ${metadata["externalApplicationId"]}`),
 *   Effect.provide(InstallationServiceTest.layerTest())
 * )
 * assert.equal(await Effect.runPromise(program), "ACTIVATED as 123456789")
 * ```
 *
 * @since 0.1.0
 * @category accessors
 */
export const update = (
  request: UpdateInstallation
): Effect.Effect<Installation, InstallationError, InstallationService> =>
  Effect.flatMap(InstallationService, (service) => service.update(request))
