export * as NodeHttpClient from "./NodeHttpClient.ts"
export * as NodeInstallationService from "./NodeInstallationService.ts"
