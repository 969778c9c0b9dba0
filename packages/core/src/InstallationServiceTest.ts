/**
 * `InstallationService` in memory, for unit tests.
 *
 * @since 0.1.0
 * @module
 */
import * as Context from "effect/Context"
import * as DateTime from "effect/DateTime"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type { Installation } from "./Installation.ts"
import type { InstallationError } from "./InstallationError.ts"
import { InstallationService } from "./InstallationService.ts"
import { encodeUpdate } from "./internal/codec.ts"
import type { UpdateInstallation } from "./UpdateInstallation.ts"

/**
 * What a test sees and steers of the service in memory.
 *
 * @since 0.1.0
 * @category tags
 */
export class InstallationServiceTest extends Context.Tag("@effect-pleo/core/InstallationServiceTest")<
  InstallationServiceTest,
  {
    /** The installation as it now is. */
    readonly installation: Effect.Effect<Installation>
    /** Every valid update received, those made to fail included, oldest first, as copies. */
    readonly updates: Effect.Effect<ReadonlyArray<UpdateInstallation>>
    /** Makes the next `times` updates (default: 1) fail with this error, after those ordered before. */
    readonly failNext: (error: InstallationError, times?: number) => Effect.Effect<void>
  }
>() {}

const blank: Installation = {
  id: "00000000-0000-4000-8000-000000000001",
  applicationId: "00000000-0000-4000-8000-000000000002",
  resource: "urn:pleo:company:00000000-0000-4000-8000-000000000003",
  status: "AUTHORIZED",
  metadata: {},
  createdAt: DateTime.unsafeMake(0),
  updatedAt: DateTime.unsafeMake(0)
}

// Assumed, since the contract does not say: metadata left out is kept, metadata sent replaces what was
// there, and an error code lasts until the next update.
const apply = (installation: Installation, request: UpdateInstallation, now: DateTime.Utc): Installation => {
  const { errorCode: _, ...rest } = installation
  return {
    ...rest,
    status: request.status,
    ...(request.errorCode === undefined ? {} : { errorCode: request.errorCode }),
    metadata: request.metadata ?? installation.metadata,
    updatedAt: now
  }
}

/**
 * An installation in memory: the service that an application sees, and what a test sees of it. Requests
 * are validated as the client validates them. `seed` overrides parts of an `AUTHORIZED` installation
 * without metadata.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (
  seed: Partial<Installation> = {}
): Effect.Effect<{
  readonly service: InstallationService["Type"]
  readonly test: InstallationServiceTest["Type"]
}> =>
  Effect.sync(() => {
    let installation: Installation = { ...blank, ...seed }
    const updates: Array<UpdateInstallation> = []
    const failures: Array<{ readonly error: InstallationError; times: number }> = []

    const receive = (
      request: UpdateInstallation,
      now: DateTime.Utc
    ): Effect.Effect<Installation, InstallationError> => {
      updates.push(request)
      const [failure] = failures
      if (failure === undefined) {
        installation = apply(installation, request, now)
        return Effect.succeed(installation)
      }
      failure.times -= 1
      if (failure.times <= 0) failures.shift()
      return Effect.fail(failure.error)
    }

    return {
      service: InstallationService.of({
        update: (request) =>
          Effect.flatMap(
            Effect.suspend(() => encodeUpdate(request)),
            (body) => Effect.flatMap(DateTime.now, (now) => receive(JSON.parse(body), now))
          )
      }),
      test: InstallationServiceTest.of({
        installation: Effect.sync(() => installation),
        updates: Effect.sync(() => [...updates]),
        failNext: (error, times = 1) =>
          Effect.sync(() => {
            if (times >= 1) failures.push({ error, times })
          })
      })
    }
  })

/**
 * Provides `InstallationService` in memory, and `InstallationServiceTest` to look into it.
 *
 * @since 0.1.0
 * @category layers
 */
export const layerTest = (
  seed?: Partial<Installation>
): Layer.Layer<InstallationService | InstallationServiceTest> =>
  Layer.effectContext(
    Effect.map(make(seed), ({ service, test }) =>
      Context.make(InstallationService, service).pipe(Context.add(InstallationServiceTest, test))
    )
  )
