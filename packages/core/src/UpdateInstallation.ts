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
 * The installation works.
 *
 * @since 0.1.0
 * @category constructors
 */
export const activated = withStatus("ACTIVATED")

/**
 * The installation is not in use at present.
 *
 * @since 0.1.0
 * @category constructors
 */
export const inactive = withStatus("INACTIVE")

/**
 * The user has let the app in, but it cannot be used yet.
 *
 * @since 0.1.0
 * @category constructors
 */
export const authorized = withStatus("AUTHORIZED")

/**
 * The integration synchronises, or does other background work.
 *
 * @since 0.1.0
 * @category constructors
 */
export const pendingIntegration = withStatus("PENDING_INTEGRATION")

/**
 * The installation does not work, for this reason.
 *
 * @since 0.1.0
 * @category constructors
 */
export const error = (errorCode: InstallationErrorCode, metadata?: Metadata): UpdateInstallation =>
  withMetadata({ status: "ERROR", errorCode }, metadata)
