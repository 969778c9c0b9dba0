import { join } from "node:path"
import * as LibsqlClient from "@effect/sql-libsql/LibsqlClient"
import type { UpdateInstallation } from "@effect-pleo/core/Installation"
import type { BadRequest } from "@effect-pleo/core/InstallationError"
import type { InstallationService } from "@effect-pleo/core/InstallationService"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import { databaseDirectory } from "../../../node/test/support/temporaryDirectory.ts"
import * as Fleet from "../../src/Fleet.ts"

/** The name of a new database file. */
export const file = Effect.map(databaseDirectory, (directory) => join(directory, "fleet.db"))

type Service = Fleet.Fleet["Type"]

/** A fleet with a runner, until the scope closes. */
export const start = (
  file: string,
  options: Fleet.Options<BadRequest> = {}
): Effect.Effect<Service, Fleet.FleetError, InstallationService | Scope.Scope> =>
  Effect.map(Layer.build(Fleet.layerSingle({ file, ...options })), Context.get(Fleet.Fleet))

/** A fleet without a runner. */
export const connect = (file: string): Effect.Effect<Service, Fleet.FleetError, Scope.Scope> =>
  Effect.map(
    Layer.build(Layer.provide(Fleet.layer, LibsqlClient.layer({ url: `file:${file}` }))),
    Context.get(Fleet.Fleet)
  )

/** A request that can be told from others. */
export const request = (number: number): UpdateInstallation => ({
  status: "ACTIVATED",
  metadata: { number }
})

export const change = (tenant: string, number: number): Fleet.Change => ({
  tenant,
  request: request(number)
})

/** The progress once nothing is pending. It looks more often than `progress` does. */
export const settled = ({ progress }: Service) =>
  Stream.runHead(progress).pipe(
    Effect.flatten,
    Effect.delay("20 millis"),
    Effect.repeat({ until: ({ pending }) => pending === 0 })
  )

/** Waits until a condition holds. */
export const until = (isTrue: () => boolean): Effect.Effect<void> =>
  Effect.sync(isTrue).pipe(Effect.delay("10 millis"), Effect.repeat({ until: (isTrue) => isTrue }))
