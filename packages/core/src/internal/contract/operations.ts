// The operations of the API: the client, `AppMarketplaceApi`, spans and drift all read these rows.
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

/** Without the charset, which RFC 9110 gives no meaning in a field that names what is accepted. */
export const accept = "application/json"
