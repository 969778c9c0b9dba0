/**
 * `InstallationService` in memory, for unit tests.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as DateTime from "effect/DateTime"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Ref from "effect/Ref"
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

interface State {
  readonly installation: Installation
  readonly updates: ReadonlyArray<UpdateInstallation>
  readonly failures: ReadonlyArray<{ readonly error: InstallationError; readonly times: number }>
}

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

const receive = (
  state: State,
  request: UpdateInstallation,
  now: DateTime.Utc
): readonly [Effect.Effect<Installation, InstallationError>, State] => {
  const updates = [...state.updates, request]
  const [failure, ...later] = state.failures
  if (failure === undefined) {
    const installation = apply(state.installation, request, now)
    return [Effect.succeed(installation), { ...state, installation, updates }]
  }
  const failures = failure.times > 1 ? [{ ...failure, times: failure.times - 1 }, ...later] : later
  return [Effect.fail(failure.error), { ...state, failures, updates }]
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
  Effect.map(Ref.make<State>({ installation: { ...blank, ...seed }, updates: [], failures: [] }), (ref) => ({
    service: InstallationService.of({
      update: (request) =>
        Effect.gen(function* () {
          const received: UpdateInstallation = JSON.parse(yield* encodeUpdate(request))
          const now = yield* DateTime.now
          return yield* Effect.flatten(Ref.modify(ref, (state) => receive(state, received, now)))
        })
    }),
    test: InstallationServiceTest.of({
      installation: Effect.map(Ref.get(ref), ({ installation }) => installation),
      updates: Effect.map(Ref.get(ref), ({ updates }) => updates),
      failNext: (error, times = 1) =>
        times < 1
          ? Effect.void
          : Ref.update(ref, (state) => ({ ...state, failures: [...state.failures, { error, times }] }))
    })
  }))

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
