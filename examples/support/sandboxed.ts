import { InstallationClient, type InstallationService } from "@effect-pleo/core"
import * as Sandbox from "@effect-pleo/testing/Sandbox"
import * as Layer from "effect/Layer"
import { wire } from "./wire.ts"

/** A running sandbox, and an `InstallationService` that speaks to it over HTTP. */
export const sandboxed = Sandbox.layerTest(Layer.provide(InstallationClient.layerConfig(), wire)).pipe(
  // Nothing can go wrong here: the sandbox takes any free port, and configures what it says.
  Layer.orDie
) satisfies Layer.Layer<InstallationService.InstallationService | Sandbox.Sandbox>
