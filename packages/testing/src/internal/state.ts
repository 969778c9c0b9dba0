import type { Installation } from "@effect-pleo/core/Installation"
import type { InstallationService } from "@effect-pleo/core/InstallationService"
import * as Context from "effect/Context"
import * as DateTime from "effect/DateTime"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Ref from "effect/Ref"
import * as Stream from "effect/Stream"
import * as SubscriptionRef from "effect/SubscriptionRef"
import * as SynchronizedRef from "effect/SynchronizedRef"
import type { Fault } from "../Fault.ts"
import type { Options } from "../Grant.ts"
import * as InstallationServiceTest from "../InstallationServiceTest.ts"
import type { RecordedRequest } from "../RecordedRequest.ts"
import * as authorisation from "./authorisation.ts"

type Service = InstallationService["Type"]

/** One installation for each owner, which is a grant or a credential, made when it is first seen. */
const makeInstallations = (seed: Partial<Installation>) =>
  Effect.map(SynchronizedRef.make<ReadonlyMap<string, Service>>(new Map()), (ref) => ({
    of: (owner: string): Effect.Effect<Service> =>
      SynchronizedRef.modifyEffect(ref, (services) => {
        const known = services.get(owner)
        if (known !== undefined) return Effect.succeed([known, services] as const)
        return Effect.gen(function* () {
          const now = yield* DateTime.now
          const { service } = yield* InstallationServiceTest.make({
            installation: {
              id: crypto.randomUUID(),
              resource: `urn:pleo:company:${crypto.randomUUID()}`,
              createdAt: now,
              updatedAt: now,
              ...seed
            }
          })
          return [service, new Map(services).set(owner, service)] as const
        })
      })
  }))

interface Ordered {
  readonly fault: Fault
  readonly times: number
  /** Where it is met. Default: everywhere. */
  readonly path: string | undefined
}

/** The faults that were ordered and not yet met, oldest first. */
const makeFaults = Effect.map(Ref.make<ReadonlyArray<Ordered>>([]), (ref) => ({
  order: (ordered: Ordered) =>
    ordered.times < 1 ? Effect.void : Ref.update(ref, (faults) => [...faults, ordered]),
  take: (path: string) =>
    Ref.modify(ref, (faults): [Option.Option<Fault>, ReadonlyArray<Ordered>] => {
      const index = faults.findIndex((ordered) => ordered.path === undefined || ordered.path === path)
      const next = faults[index]
      if (next === undefined) return [Option.none(), faults]
      return [
        Option.some(next.fault),
        next.times > 1 ? faults.with(index, { ...next, times: next.times - 1 }) : faults.toSpliced(index, 1)
      ]
    })
}))

/** The requests seen, oldest first. */
const makeRecord = Effect.map(SubscriptionRef.make<ReadonlyArray<RecordedRequest>>([]), (ref) => ({
  all: SubscriptionRef.get(ref),
  /** Waits until there are so many. */
  await: (count: number): Effect.Effect<ReadonlyArray<RecordedRequest>> =>
    ref.changes.pipe(
      Stream.filter((requests) => requests.length >= count),
      Stream.runHead,
      // The changes do not end.
      Effect.flatMap(Option.match({ onNone: () => Effect.never, onSome: Effect.succeed }))
    ),
  /** Adds a request, and gives what notes later what became of it. */
  add: (request: RecordedRequest) =>
    SubscriptionRef.modify(ref, (requests) => [
      (news: Partial<RecordedRequest>) =>
        SubscriptionRef.update(ref, (all) =>
          all.with(requests.length, { ...(all[requests.length] ?? request), ...news })
        ),
      [...requests, request]
    ])
}))

interface Given extends Pick<Options, "clientId" | "clientSecret"> {
  readonly installation?: Partial<Installation> | undefined
}

const makeState = (given: Given) =>
  Effect.all({
    installations: makeInstallations(given.installation ?? {}),
    authorisation: authorisation.make(given),
    faults: makeFaults,
    record: makeRecord
  })

/** All that a running sandbox remembers. */
export class SandboxState extends Context.Tag("@effect-pleo/testing/SandboxState")<
  SandboxState,
  Effect.Effect.Success<ReturnType<typeof makeState>>
>() {}

export const layer = (given: Given): Layer.Layer<SandboxState> => Layer.effect(SandboxState, makeState(given))
