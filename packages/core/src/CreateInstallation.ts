/**
 * The request that creates an installation.
 *
 * @since 0.1.0
 * @module
 */
import * as Schema from "effect/Schema"
import { InstallationStatus } from "./Installation.ts"
import { Metadata } from "./Metadata.ts"

/**
 * The body of `POST /v1/installations/me`; a plain object will do.
 *
 * @example
 * ```ts
 * const request: CreateInstallation.CreateInstallation = { status: "PENDING_INTEGRATION" }
 * ```
 * @since 0.1.0
 * @category schemas
 */
export const CreateInstallation = Schema.Struct({
  status: Schema.optional(InstallationStatus),
  metadata: Schema.optional(Metadata)
}).annotations({ identifier: "CreateInstallationRequest" })

export interface CreateInstallation extends Schema.Schema.Type<typeof CreateInstallation> {}
