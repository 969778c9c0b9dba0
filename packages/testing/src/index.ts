export * as Fault from "./Fault.ts"
export * as InstallationArbitrary from "./InstallationArbitrary.ts"
export * as InstallationServiceTest from "./InstallationServiceTest.ts"
export * as TokenStoreConformance from "./TokenStoreConformance.ts"
