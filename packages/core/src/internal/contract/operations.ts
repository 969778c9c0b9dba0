// The operations of the API, for the client, `AppMarketplaceApi`, spans, and drift.
import * as Schema from "effect/Schema"
import { CreateInstallation, Installation, UpdateInstallation } from "../../Installation.ts"
import { Introspection } from "../../Introspection.ts"
import type { Transport } from "../../Transport.ts"

export interface Operation {
  readonly operationId: string
  readonly summary: string
  /** The method of `InstallationService`. */
  readonly name: "get" | "create" | "update" | "updateMetadata" | "activate" | "delete" | "introspect"
  readonly method: Parameters<Transport>[0]
  readonly path: string
  /** Whether it changes nothing. */
  readonly isRead: boolean
  /** Whether a repetition has no further effect (RFC 9110 section 9.2.2). */
  readonly isIdempotent: boolean
  /** Absent without a query. */
  readonly query?: Schema.Schema.AnyNoContext
  /** Absent without a body. */
  readonly request?: Schema.Schema.AnyNoContext
}

/** An operation with a response of type `A`. */
export interface OperationOf<A> extends Operation {
  /** Absent without a body. */
  // biome-ignore lint/suspicious/noExplicitAny: any encoding, since a schema is invariant in it.
  readonly response?: Schema.Schema<A, any>
}

const path = "/v1/installations/me"

export const getInstallation = {
  operationId: "getClientInstallation",
  summary: "Get the caller's installation",
  name: "get",
  method: "GET",
  path,
  isRead: true,
  isIdempotent: true,
  query: Schema.Struct({
    companyId: Schema.optional(Schema.UUID).pipe(Schema.fromKey("company_id"))
  }),
  response: Installation
} as const

export const createInstallation = {
  operationId: "createClientInstallation",
  summary: "Create the caller's installation",
  name: "create",
  method: "POST",
  path,
  isRead: false,
  isIdempotent: false,
  request: CreateInstallation,
  response: Installation
} as const

export const updateInstallation = {
  operationId: "updateClientInstallation",
  summary: "Change the status, the error code or the metadata of the caller's installation",
  name: "update",
  method: "PUT",
  path,
  isRead: false,
  isIdempotent: true,
  request: UpdateInstallation,
  response: Installation
} as const

/** A read and an update in one turn of the queue. */
export const updateMetadata = {
  operationId: updateInstallation.operationId,
  summary: updateInstallation.summary,
  name: "updateMetadata",
  method: "PUT",
  path,
  isRead: false,
  isIdempotent: true,
  response: Installation
} as const

export const activateInstallation = {
  operationId: "activateMyInstallation",
  summary: "Activate the caller's installation",
  name: "activate",
  method: "POST",
  path: `${path}:activate`,
  isRead: false,
  isIdempotent: true,
  response: Installation
} as const

export const deleteInstallation = {
  operationId: "deleteClientInstallation",
  summary: "Delete the caller's installation, and revoke its tokens",
  name: "delete",
  method: "DELETE",
  path,
  isRead: false,
  isIdempotent: true
} as const

export const introspect = {
  operationId: "introspect",
  summary: "Describe the caller's credential",
  name: "introspect",
  method: "GET",
  path: "/v1/introspect",
  isRead: true,
  isIdempotent: true,
  response: Introspection
} as const

export const contentType = "application/json;charset=UTF-8"

/** Without the charset, which has no meaning in `Accept` (RFC 9110). */
export const accept = "application/json"

/** None, except for Deno: its `fetch` decodes only codings that a request accepts, and some servers always use one. */
export const acceptEncoding = "Deno" in globalThis ? "gzip, br" : "identity"
