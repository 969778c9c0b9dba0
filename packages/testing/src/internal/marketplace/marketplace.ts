// The App Marketplace as a state machine: `InstallationServiceTest` plays it in memory, the sandbox over HTTP.
import type { Installation, UpdateInstallation } from "@effect-pleo/core/Installation"
import type { Introspection } from "@effect-pleo/core/Introspection"
import { operations } from "@effect-pleo/core/internal/shared"
import * as DateTime from "effect/DateTime"
import * as Duration from "effect/Duration"
import * as Either from "effect/Either"
import type { Plan, Target } from "./plan.ts"
import { Record } from "./record.ts"

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
const update = (
  installation: Installation,
  request: Partial<UpdateInstallation>,
  now: DateTime.Utc
): Installation => {
  const { errorCode: _, ...rest } = installation
  return {
    ...rest,
    status: request.status ?? installation.status,
    ...(request.errorCode === undefined ? {} : { errorCode: request.errorCode }),
    metadata: request.metadata ?? installation.metadata,
    updatedAt: now
  }
}

/** The customer or the credential of a request. */
export interface Owner {
  readonly key: string
  readonly authMethod: "OAUTH2" | "API_KEY"
  readonly clientId: string
  readonly scopes: ReadonlyArray<string>
}

/** The value of a response, or the status of a refusal. */
type Served = Either.Either<Installation | Introspection | undefined, 400 | 404>

/** Without a fault: also what a fault is made of. */
export const served: Plan = {
  label: "none",
  end: { _tag: "Served" },
  times: 1,
  when: () => true,
  after: Duration.zero,
  delay: Duration.zero,
  isApplied: true
}

interface Pending<E> {
  readonly id: string
  readonly plan: Plan<E>
  left: number
}

/** Each change is one synchronous step, so no other request comes between. */
export class Marketplace<Entry, E = never> {
  readonly record: Record<Entry>
  readonly #installations = new Map<string, Installation>()
  readonly #deleted = new Set<string>()
  readonly #faults: Array<Pending<E>> = []
  #injected = 0
  readonly #seed: (now: DateTime.Utc) => Partial<Installation>
  readonly #changed: () => void

  /** `seed` is what an installation has other than by default, when it is first seen. */
  constructor(seed: (now: DateTime.Utc) => Partial<Installation>, changed = () => {}) {
    this.#seed = seed
    this.#changed = changed
    this.record = new Record(changed)
  }

  /** By the keys of their owners, in the order of their first installations. */
  get installations(): ReadonlyMap<string, Installation> {
    return new Map([...this.#installations].filter(([key]) => !this.#deleted.has(key)))
  }

  get faults(): ReadonlyArray<Pending<E>> {
    return this.#faults
  }

  /** The installation of an owner. With OAuth, it exists from the first request on. */
  find({ authMethod, key }: Owner, now: DateTime.Utc): Installation | undefined {
    if (authMethod === "OAUTH2" && !this.#installations.has(key)) return this.#create(key, now)
    return this.#deleted.has(key) ? undefined : this.#installations.get(key)
  }

  /** The consent of a customer, who has a new installation if the last one was deleted. */
  install(key: string, now: DateTime.Utc): void {
    if (this.#deleted.has(key) || !this.#installations.has(key)) this.#create(key, now)
  }

  /** A customer keeps the resource of an installation that was deleted. */
  #create(key: string, now: DateTime.Utc): Installation {
    const deleted = this.#installations.get(key)
    this.#deleted.delete(key)
    return this.#set(key, {
      ...blank(this.#installations.size),
      ...this.#seed(now),
      ...(deleted && { resource: deleted.resource })
    })
  }

  #set(key: string, installation: Installation): Installation {
    this.#installations.set(key, installation)
    this.#changed()
    return installation
  }

  /**
   * Carries out a request whose body is valid JSON of the operation. Assumed, since the contract does not say: a request
   * without an installation is refused with 400, but the first update of an API key creates it.
   */
  serve(operation: operations.Operation, owner: Owner, body: string | undefined, now: DateTime.Utc): Served {
    const { authMethod, clientId, key, scopes } = owner
    const found = this.find(owner, now)
    const change = (installation: Installation, request: Partial<UpdateInstallation>) =>
      Either.right(this.#set(key, update(installation, request, now)))
    switch (operation) {
      case operations.introspect:
        return Either.right({
          authMethod,
          clientId,
          scopes,
          ...(found === undefined ? {} : { subject: found.resource })
        })
      case operations.createInstallation:
        return found === undefined
          ? change(this.#create(key, now), JSON.parse(body ?? "{}"))
          : Either.left(400)
      case operations.deleteInstallation:
        if (found === undefined) return Either.left(404)
        this.#deleted.add(key)
        this.#changed()
        return Either.right(undefined)
    }
    const isNew = operation === operations.updateInstallation && !this.#installations.has(key)
    const installation = isNew ? this.#create(key, now) : found
    if (installation === undefined) return Either.left(400)
    switch (operation) {
      case operations.updateInstallation:
        return change(installation, JSON.parse(body ?? "{}"))
      case operations.activateInstallation:
        return change(installation, { status: "ACTIVATED" })
      default:
        return Either.right(installation)
    }
  }

  inject(plans: ReadonlyArray<Plan<E>>): void {
    for (const plan of plans)
      if (plan.times >= 1) this.#faults.push({ id: String(++this.#injected), plan, left: plan.times })
    this.#changed()
  }

  /** Whether there was such a fault to take back. */
  withdraw(id: string): boolean {
    const index = this.#faults.findIndex((fault) => fault.id === id)
    if (index === -1) return false
    this.#faults.splice(index, 1)
    this.#changed()
    return true
  }

  /** The oldest fault for a request, which counts as one of its times. */
  take(target: Target): Plan<E> {
    const index = this.#faults.findIndex(({ plan }) => plan.when(target))
    const next = this.#faults[index]
    if (next === undefined) return served
    next.left -= 1
    if (next.left < 1) this.#faults.splice(index, 1)
    this.#changed()
    return next.plan
  }
}
