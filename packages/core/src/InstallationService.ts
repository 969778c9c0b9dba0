/**
 * Updates an installation.
 *
 * @since 0.1.0
 * @module
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type { Installation } from "./Installation.ts"
import type { InstallationError } from "./InstallationError.ts"
import type { MetadataLike } from "./internal/metadataLike.ts"
import type { Metadata } from "./Metadata.ts"
import type { UpdateInstallation } from "./UpdateInstallation.ts"

/**
 * Updates the installation that the credential belongs to. All layers of this library provide it.
 *
 * @example
 * ```ts
 * Effect.flatMap(InstallationService.InstallationService, ({ update }) => update({ status: "ACTIVATED" }))
 * ```
 * @since 0.1.0
 * @category tags
 */
export class InstallationService extends Context.Tag("@effect-pleo/core/InstallationService")<
  InstallationService,
  {
    /** Sends one request (`PUT /v1/installations/me`), without retries or a timeout. */
    readonly update: (request: UpdateInstallation) => Effect.Effect<Installation, InstallationError>
  }
>() {}

/**
 * Updates the installation with the `InstallationService` in the context.
 *
 * @example
 * ```ts
 * InstallationService.update({ status: "ACTIVATED" }).pipe(RetryPolicy.retry())
 * ```
 * @since 0.1.0
 * @category accessors
 */
export const update = <M = Metadata>(
  request: Omit<UpdateInstallation, "metadata"> & { readonly metadata?: (M & MetadataLike<M>) | undefined }
): Effect.Effect<Installation, InstallationError, InstallationService> =>
  Effect.flatMap(InstallationService, (service) => service.update(request as UpdateInstallation))
