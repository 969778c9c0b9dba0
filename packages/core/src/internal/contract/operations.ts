// The operations of the API, for the client, `AppMarketplaceApi`, spans, and drift.
import { Installation } from "../../Installation.ts"
import { UpdateInstallation } from "../../UpdateInstallation.ts"

export const updateInstallation = {
  operationId: "updateClientInstallation",
  summary: "Change the status, the error code or the metadata of the caller's installation",
  spanName: "InstallationService.update",
  method: "PUT",
  path: "/v1/installations/me",
  request: UpdateInstallation,
  response: Installation
} as const

export type Operation = typeof updateInstallation

export const contentType = "application/json;charset=UTF-8"

/** Without the charset, which has no meaning in `Accept` (RFC 9110). */
export const accept = "application/json"

/** None, except for Deno: its `fetch` decodes only codings that a request accepts, and some servers always use one. */
export const acceptEncoding = "Deno" in globalThis ? "gzip, br" : "identity"
