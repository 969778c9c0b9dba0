// The App Marketplace as a state machine: `InstallationServiceTest` plays it in memory, the sandbox over HTTP.
import type { Installation } from "@effect-pleo/core/Installation"
import { makeCodec, updateInstallation } from "@effect-pleo/core/internal/testing"
import type { UpdateInstallation } from "@effect-pleo/core/UpdateInstallation"
import * as DateTime from "effect/DateTime"
import * as Duration from "effect/Duration"
import type { Plan, Target } from "./plan.ts"
import { Record } from "./record.ts"

export const codec = makeCodec(updateInstallation)

export const { path } = updateInstallation

const uuid = (number: number) => `00000000-0000-4000-8000-${String(number).padStart(12, "0")}`

/** The installation of the n-th customer, from 0. */
const blank = (n: number): Installation => ({
  id: uuid(10 * n + 1),
  applicationId: uuid(2),
  resource: `urn:pleo:company:${uuid(10 * n + 3)}`,
  status: "AUTHORIZED",
  metadata: {},
  createdAt: DateTime.unsafeMake(0),
  updatedAt: DateTime.unsafeMake(0)
})

// Assumed, since the contract does not say: metadata left out is kept, metadata sent replaces what was
// there, and an error code lasts until the next update.
const update = (installation: Installation, request: UpdateInstallation, now: DateTime.Utc): Installation => {
  const { errorCode: _, ...rest } = installation
  return {
    ...rest,
    status: request.status,
    ...(request.errorCode === undefined ? {} : { errorCode: request.errorCode }),
    metadata: request.metadata ?? installation.metadata,
    updatedAt: now
  }
}

/** Without a fault: also what a fault is made of. */
export const served: Plan = {
  end: { _tag: "Served" },
  times: 1,
  when: () => true,
  after: Duration.zero,
  delay: Duration.zero,
  isApplied: true
}

/** Each change is one synchronous step, so no other request comes between. */
export class Marketplace<Entry, E = never> {
  readonly record = new Record<Entry>()
  readonly #installations = new Map<string, Installation>()
  readonly #faults: Array<{ readonly plan: Plan<E>; left: number }> = []
  readonly #seed: (now: DateTime.Utc) => Partial<Installation>

  /** `seed` is what an installation has other than by default, when it is first seen. */
  constructor(seed: (now: DateTime.Utc) => Partial<Installation>) {
    this.#seed = seed
  }

  /** The installation of an owner, which is a customer or a credential. */
  installationOf(owner: string, now: DateTime.Utc): Installation {
    const known = this.#installations.get(owner)
    if (known !== undefined) return known
    const installation = { ...blank(this.#installations.size), ...this.#seed(now) }
    this.#installations.set(owner, installation)
    return installation
  }

  /** Applies an update, as `codec` has encoded it. */
  apply(owner: string, body: string, now: DateTime.Utc): Installation {
    const updated = update(this.installationOf(owner, now), JSON.parse(body), now)
    this.#installations.set(owner, updated)
    return updated
  }

  inject(plans: ReadonlyArray<Plan<E>>): void {
    for (const plan of plans) if (plan.times >= 1) this.#faults.push({ plan, left: plan.times })
  }

  /** The oldest fault for a request, which counts as one of its times. */
  take(target: Target): Plan<E> {
    const index = this.#faults.findIndex(({ plan }) => plan.when(target))
    const next = this.#faults[index]
    if (next === undefined) return served
    next.left -= 1
    if (next.left < 1) this.#faults.splice(index, 1)
    return next.plan
  }
}
