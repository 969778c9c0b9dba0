/**
 * The operations of an installation.
 *
 * @since 0.1.0
 * @module
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type { CreateInstallation, Installation, UpdateInstallation } from "./Installation.ts"
import type { InstallationError } from "./InstallationError.ts"
import type { Introspection } from "./Introspection.ts"
import type { MetadataLike } from "./internal/contract/metadataLike.ts"
import type { Metadata } from "./Metadata.ts"

/**
 * The operations of the installation that the credential belongs to. Each sends one request, without retries or a timeout.
 * All layers of this library provide it.
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
    /**
     * Gets the installation (`GET /v1/installations/me`). `companyId` is a UUID, for a credential of several companies.
     * `inOrder` waits for the writes of the installation that began before.
     */
    readonly get: (options?: {
      readonly companyId?: string | undefined
      readonly inOrder?: boolean | undefined
    }) => Effect.Effect<Installation, InstallationError>
    /**
     * Creates the installation (`POST /v1/installations/me`), as an API key requires. After an attempt that may have been
     * applied, the next one in the same `RetryPolicy.retry` gets the installation first, and creates it only if there is
     * none.
     */
    readonly create: (request?: CreateInstallation) => Effect.Effect<Installation, InstallationError>
    /** Sets the status, the error code, or the metadata (`PUT /v1/installations/me`). */
    readonly update: (request: UpdateInstallation) => Effect.Effect<Installation, InstallationError>
    /**
     * Gets the installation, changes its metadata, and updates it, in one turn of its queue: of two in one process,
     * none loses a change of the other. Changes of other processes meanwhile are lost. A retry runs `change` again.
     */
    readonly updateMetadata: (
      change: (metadata: Metadata) => Metadata
    ) => Effect.Effect<Installation, InstallationError>
    /** Activates the installation (`POST /v1/installations/me:activate`). */
    readonly activate: () => Effect.Effect<Installation, InstallationError>
    /**
     * Deletes the installation (`DELETE /v1/installations/me`), which revokes its tokens: the stored grant ends. After an
     * attempt that may have been applied, an installation that does not exist counts as deleted.
     */
    readonly delete: () => Effect.Effect<void, InstallationError>
    /** Describes the credential (`GET /v1/introspect`): its app, its subject, and its scopes. */
    readonly introspect: () => Effect.Effect<Introspection, InstallationError>
  }
>() {}

/**
 * Gets the installation.
 *
 * @example
 * ```ts
 * const status = Effect.map(InstallationService.get(), ({ status }) => status)
 * ```
 * @since 0.1.0
 * @category accessors
 */
export const get = (options?: {
  readonly companyId?: string | undefined
  readonly inOrder?: boolean | undefined
}): Effect.Effect<Installation, InstallationError, InstallationService> =>
  Effect.flatMap(InstallationService, (service) => service.get(options))

/**
 * Creates the installation.
 *
 * @example
 * ```ts
 * InstallationService.create({ status: "PENDING_INTEGRATION" }).pipe(RetryPolicy.retry())
 * ```
 * @since 0.1.0
 * @category accessors
 */
export const create = (
  request?: CreateInstallation
): Effect.Effect<Installation, InstallationError, InstallationService> =>
  Effect.flatMap(InstallationService, (service) => service.create(request))

/**
 * Updates the installation.
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

/**
 * Changes the metadata of the installation.
 *
 * @example
 * ```ts
 * InstallationService.updateMetadata((metadata) => ({ ...metadata, plan: "team" }))
 * ```
 * @since 0.1.0
 * @category accessors
 */
export const updateMetadata = (
  change: (metadata: Metadata) => Metadata
): Effect.Effect<Installation, InstallationError, InstallationService> =>
  Effect.flatMap(InstallationService, (service) => service.updateMetadata(change))

/**
 * Activates the installation.
 *
 * @example
 * ```ts
 * InstallationService.activate().pipe(RetryPolicy.retry())
 * ```
 * @since 0.1.0
 * @category accessors
 */
export const activate = (): Effect.Effect<Installation, InstallationError, InstallationService> =>
  Effect.flatMap(InstallationService, (service) => service.activate())

/**
 * Deletes the installation, and ends the stored grant.
 *
 * @example
 * ```ts
 * InstallationService.delete().pipe(RetryPolicy.retry())
 * ```
 * @since 0.1.0
 * @category accessors
 */
const delete_ = (): Effect.Effect<void, InstallationError, InstallationService> =>
  Effect.flatMap(InstallationService, (service) => service.delete())

export { delete_ as delete }

/**
 * Describes the credential.
 *
 * @example
 * ```ts
 * const customer = Effect.map(InstallationService.introspect(), ({ subject }) => subject)
 * ```
 * @since 0.1.0
 * @category accessors
 */
export const introspect = (): Effect.Effect<Introspection, InstallationError, InstallationService> =>
  Effect.flatMap(InstallationService, (service) => service.introspect())
