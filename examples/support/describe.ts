import type { Installation } from "@effect-pleo/core"
import * as DateTime from "effect/DateTime"

/** An installation, for a person to read. */
export const describe = (installation: Installation.Installation): string =>
  [
    `The installation is ${installation.status}`,
    `  id           ${installation.id}`,
    `  application  ${installation.applicationId}`,
    `  resource     ${installation.resource}`,
    ...(installation.errorCode === undefined ? [] : [`  error code   ${installation.errorCode}`]),
    `  metadata     ${JSON.stringify(installation.metadata)}`,
    `  created      ${DateTime.formatIso(installation.createdAt)}`,
    `  updated      ${DateTime.formatIso(installation.updatedAt)}`
  ].join("\n")
