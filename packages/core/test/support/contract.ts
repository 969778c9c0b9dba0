import { readFileSync } from "node:fs"

/** The published contract, its facts only. */
export const contract = JSON.parse(
  readFileSync(new URL("../contract/app-marketplace.openapi.json", import.meta.url), "utf8")
)

const { InstallationErrorCode, InstallationResponse, InstallationStatus, UpdateInstallationRequest } =
  contract.components.schemas

export const statuses: ReadonlyArray<string> = InstallationStatus.enum

export const errorCodes: ReadonlyArray<string> = InstallationErrorCode.enum

/** Made of the contract's first enum values and its example, as its documentation renders it. */
export const exampleRequest: Readonly<Record<string, unknown>> = {
  status: statuses[0],
  errorCode: errorCodes[0],
  metadata: UpdateInstallationRequest.properties.metadata.example
}

export const requiredInResponse: ReadonlyArray<string> = InstallationResponse.required

/** Made of the examples of the contract's properties. */
export const exampleResponse: Readonly<Record<string, unknown>> = Object.fromEntries(
  Object.entries<{ readonly example: unknown }>(InstallationResponse.properties).map(([name, property]) => [
    name,
    property.example
  ])
)

/** The contract's example without one of its fields. */
export const exampleWithout = (field: string): Readonly<Record<string, unknown>> =>
  Object.fromEntries(Object.entries(exampleResponse).filter(([name]) => name !== field))
