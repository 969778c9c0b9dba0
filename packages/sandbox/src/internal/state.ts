import type { Installation } from "@effect-pleo/core/Installation"
import type { InstallationService } from "@effect-pleo/core/InstallationService"
import * as InstallationServiceTest from "@effect-pleo/core/InstallationServiceTest"
import * as Context from "effect/Context"
import * as DateTime from "effect/DateTime"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Ref from "effect/Ref"
import * as SynchronizedRef from "effect/SynchronizedRef"
import type { Fault } from "../Fault.ts"
import type { RecordedRequest } from "../RecordedRequest.ts"

type Service = InstallationService["Type"]

/** One installation for each credential, made when the credential is first seen. */
const makeInstallations = (seed: Partial<Installation>) =>
  Effect.map(SynchronizedRef.make<ReadonlyMap<string, Service>>(new Map()), (ref) => ({
    of: (credential: string): Effect.Effect<Service> =>
      SynchronizedRef.modifyEffect(ref, (services) => {
        const known = services.get(credential)
        if (known !== undefined) return Effect.succeed([known, services] as const)
        return Effect.gen(function* () {
          const now = yield* DateTime.now
          const { service } = yield* InstallationServiceTest.make({
            id: crypto.randomUUID(),
            resource: `urn:pleo:company:${crypto.randomUUID()}`,
            createdAt: now,
            updatedAt: now,
            ...seed
          })
          return [service, new Map(services).set(credential, service)] as const
        })
      })
  }))

interface Ordered {
  readonly fault: Fault
  readonly times: number
}

/** The faults that were ordered and not yet met, oldest first. */
const makeFaults = Effect.map(Ref.make<ReadonlyArray<Ordered>>([]), (ref) => ({
  order: (fault: Fault, times: number) =>
    times < 1 ? Effect.void : Ref.update(ref, (faults) => [...faults, { fault, times }]),
  take: Ref.modify(ref, ([next, ...later]): [Option.Option<Fault>, ReadonlyArray<Ordered>] => {
    if (next === undefined) return [Option.none(), []]
    return [Option.some(next.fault), next.times > 1 ? [{ ...next, times: next.times - 1 }, ...later] : later]
  })
}))

/** The requests seen, oldest first. */
const makeRecord = Effect.map(Ref.make<ReadonlyArray<RecordedRequest>>([]), (ref) => ({
  all: Ref.get(ref),
  /** Adds a request, and gives what notes the status of its answer. */
  add: (request: RecordedRequest) =>
    Ref.modify(ref, (requests) => [
      (status: number) => Ref.update(ref, (all) => all.with(requests.length, { ...request, status })),
      [...requests, request]
    ])
}))

const makeState = (seed: Partial<Installation>) =>
  Effect.all({ installations: makeInstallations(seed), faults: makeFaults, record: makeRecord })

/** All that a running sandbox remembers. */
export class SandboxState extends Context.Tag("@effect-pleo/sandbox/SandboxState")<
  SandboxState,
  Effect.Effect.Success<ReturnType<typeof makeState>>
>() {}

export const layer = (seed: Partial<Installation>): Layer.Layer<SandboxState> =>
  Layer.effect(SandboxState, makeState(seed))
