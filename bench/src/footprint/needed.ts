// What the first example of the README imports of both packages, without the example itself.
export { update } from "@effect-pleo/core/InstallationService"
export { retry } from "@effect-pleo/core/RetryPolicy"
export { layerConfig } from "@effect-pleo/node/NodeInstallationService"
