/**
 * The request that sets the status, the error code, or the metadata of an installation.
 *
 * @since 0.1.0
 * @module
 */
import * as Schema from "effect/Schema"
import { InstallationErrorCode, InstallationStatus } from "./Installation.ts"
import { Metadata } from "./Metadata.ts"

/**
 * The contract's `UpdateInstallationRequest`; a plain object will do. The contract does not say whether Pleo keeps or
 * clears fields that are left out.
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

const withMetadata = (request: UpdateInstallation, metadata: Metadata | undefined): UpdateInstallation =>
  metadata === undefined ? request : { ...request, metadata }

const withStatus =
  (status: Exclude<InstallationStatus, "ERROR">) =>
  (metadata?: Metadata): UpdateInstallation =>
    withMetadata({ status }, metadata)

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
 * Reports that the installation does not work, and why.
 *
 * @example
 * ```ts
 * UpdateInstallation.error("AUTH_ERROR", { detail: "The password has changed" })
 * ```
 * @since 0.1.0
 * @category constructors
 */
export const error = (errorCode: InstallationErrorCode, metadata?: Metadata): UpdateInstallation =>
  withMetadata({ status: "ERROR", errorCode }, metadata)
