// What @effect-pleo/testing is made of: its service in memory is the client's own way of an update, to the responses
// and failures that the client interprets.
export { Updates } from "./call/client.ts"
export { withCallContext } from "./call/scope.ts"
export { make as makeCodec } from "./contract/codec.ts"
export { updateInstallation } from "./contract/operations.ts"
export { authorizationOf, type Credentials, formsOf, TypeId } from "./credentials/credentials.ts"
export { fromFailure } from "./http/failure.ts"
export { make as makeRedact } from "./http/redact.ts"
export { interpret } from "./http/response.ts"
export { noop } from "./telemetry/observer.ts"

// The rest of the client, although nothing there needs it: without it, the published files that are made of these
// modules, which an application loads, would be more.
export { make as makeService } from "./call/service.ts"
export { fromTransport } from "./http/sender.ts"
