/**
 * The request that sets the status, the error code, or the metadata of an installation.
 *
 * @since 0.1.0
 * @module
 */
import * as Schema from "effect/Schema"
import { InstallationErrorCode, InstallationStatus } from "./Installation.ts"
import type { MetadataLike } from "./internal/metadataLike.ts"
import { Metadata } from "./Metadata.ts"

/**
 * The contract's `UpdateInstallationRequest`; a plain object will do. The contract does not say whether Pleo keeps or
 * clears fields that are left out. For metadata whose type is an `interface`, use a constructor.
 *
 * @example
 * ```ts
 * const request: UpdateInstallation.UpdateInstallation = { status: "ERROR", errorCode: "AUTH_ERROR" }
 * ```
 * @since 0.1.0
 * @category schemas
 */
export const UpdateInstallation = Schema.Struct({
  status: InstallationStatus,
  errorCode: Schema.optional(InstallationErrorCode),
  metadata: Schema.optional(Metadata)
}).annotations({ identifier: "UpdateInstallationRequest" })

export interface UpdateInstallation extends Schema.Schema.Type<typeof UpdateInstallation> {}

const make = (
  status: InstallationStatus,
  errorCode: InstallationErrorCode | undefined,
  metadata: unknown
): UpdateInstallation => ({
  status,
  ...(errorCode && { errorCode }),
  ...(metadata !== undefined && { metadata: metadata as Metadata })
})

const withStatus =
  (status: Exclude<InstallationStatus, "ERROR">) =>
  <M = Metadata>(metadata?: M & MetadataLike<M>): UpdateInstallation =>
    make(status, undefined, metadata)

/**
 * Reports the installation as active.
 *
 * @example
 * ```ts
 * UpdateInstallation.activated({ externalApplicationId: "123456789" })
 * ```
 * @since 0.1.0
 * @category constructors
 */
export const activated = withStatus("ACTIVATED")

/**
 * Reports the installation as not in use.
 *
 * @example
 * ```ts
 * UpdateInstallation.inactive({ pausedBy: "customer" })
 * ```
 * @since 0.1.0
 * @category constructors
 */
export const inactive = withStatus("INACTIVE")

/**
 * Reports that the user has authorized the app, but cannot use it yet.
 *
 * @example
 * ```ts
 * UpdateInstallation.authorized()
 * ```
 * @since 0.1.0
 * @category constructors
 */
export const authorized = withStatus("AUTHORIZED")

/**
 * Reports that the installation is synchronizing, or doing other background work.
 *
 * @example
 * ```ts
 * UpdateInstallation.pendingIntegration()
 * ```
 * @since 0.1.0
 * @category constructors
 */
export const pendingIntegration = withStatus("PENDING_INTEGRATION")

/**
 * Reports that the installation does not work, and why. The contract allows an error without a code.
 *
 * @example
 * ```ts
 * UpdateInstallation.error("AUTH_ERROR", { detail: "The password has changed" })
 * UpdateInstallation.error()
 * ```
 * @since 0.1.0
 * @category constructors
 */
export const error = <M = Metadata>(
  errorCode?: InstallationErrorCode,
  metadata?: M & MetadataLike<M>
): UpdateInstallation => make("ERROR", errorCode, metadata)
