// What @effect-pleo/testing is made of: the parts of the client that its service in memory shares.
export { Updates } from "./call/client.ts"
export { withCallContext } from "./call/scope.ts"
export { make as makeCodec } from "./contract/codec.ts"
export { updateInstallation } from "./contract/operations.ts"
export { authorizationOf, type Credentials, TypeId } from "./credentials/credentials.ts"
export { noop } from "./telemetry/observer.ts"
