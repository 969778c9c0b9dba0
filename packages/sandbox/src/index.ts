export * as Fault from "./Fault.ts"
export * as RecordedRequest from "./RecordedRequest.ts"
export * as Sandbox from "./Sandbox.ts"
export * as SandboxApi from "./SandboxApi.ts"
