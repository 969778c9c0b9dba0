import {
  type Installation,
  InstallationService,
  RetryPolicy
} from "@effect-pleo/core"
import { NodeInstallationService } from "@effect-pleo/node"
import * as Effect from "effect/Effect"
import * as ManagedRuntime from "effect/ManagedRuntime"

// Once in a program: it holds the sockets, the order of the updates and the
// retry budget.
const pleo = ManagedRuntime.make(NodeInstallationService.layerConfig())

export const update = (request: Installation.UpdateInstallation) =>
  InstallationService.update(request).pipe(
    RetryPolicy.retry(),
    Effect.either, // a failure is a value here too, and keeps its type
    (effect) => pleo.runPromise(effect)
  )

export const close = () => pleo.dispose()
