// The parts of the client that other packages use: the service of @effect-pleo/testing in memory is the client's own way of
// an update, to the responses and failures that the client interprets, and a fleet has the codec of an update.
// `makeService` and `fromTransport` are not needed there: they keep all modules of an update together, which otherwise
// would be published, and loaded by applications, as more files.
export { type Call, Updates } from "./call/client.ts"
export { make as makeMethods } from "./call/methods.ts"
export { withCallContext } from "./call/scope.ts"
export { make as makeService } from "./call/service.ts"
export { type Codec, make as makeCodec } from "./contract/codec.ts"
export * as operations from "./contract/operations.ts"
export { isSecure } from "./contract/servers.ts"
export { type Credentials, formsOf, keyOf, TypeId, tenantOf } from "./credentials/credentials.ts"
export { fromFailure } from "./http/failure.ts"
export { make as makeRedact } from "./http/redact.ts"
export { interpret } from "./http/response.ts"
export { fromTransport } from "./http/sender.ts"
export { noop } from "./telemetry/observer.ts"
