import * as Effect from "effect/Effect"
import { Installation, InstallationErrorCode, InstallationStatus } from "../Installation.ts"
import * as InstallationMetric from "../InstallationMetric.ts"
import type { OnDrift, SchemaDrift } from "../SchemaDrift.ts"
import * as Labels from "./labels.ts"

const fields: ReadonlySet<string> = new Set(Object.keys(Installation.fields))
const statuses: ReadonlySet<string> = new Set(InstallationStatus.literals)
const errorCodes: ReadonlySet<string> = new Set(InstallationErrorCode.literals)

const byKind = Labels.family((kind: string) => ({ kind }))

const maxLength = 128
const maxTold = 64

/** What an answer that could be decoded holds beyond what is known. Nearly always nothing. */
const find = (installation: Installation, body: unknown): ReadonlyArray<SchemaDrift> | undefined => {
  let found: Array<SchemaDrift> | undefined
  const add = (kind: SchemaDrift["kind"], name: string) => {
    found ??= []
    if (found.length < maxTold) found.push({ kind, name })
  }
  if (!statuses.has(installation.status)) add("status", installation.status)
  if (installation.errorCode !== undefined && !errorCodes.has(installation.errorCode))
    add("errorCode", installation.errorCode)
  for (const field in body as object) if (!fields.has(field)) add("field", field)
  return found
}

/** What one client has met that it did not know. */
export class Drift {
  readonly #onDrift: OnDrift | undefined
  readonly #told = new Set<string>()

  constructor(onDrift: OnDrift | undefined) {
    this.#onDrift = onDrift
  }

  /** Counts it, and tells of what is new, if anything is. */
  note(
    installation: Installation,
    body: unknown,
    labels: Labels.Labels,
    makeScrub: () => (text: string) => string
  ): Effect.Effect<void> | undefined {
    const found = find(installation, body)
    if (found === undefined) return undefined
    for (const { kind } of found) InstallationMetric.drift.unsafeUpdate(1, Labels.add(labels, byKind(kind)))
    const onDrift = this.#onDrift
    if (onDrift === undefined) return undefined
    const scrub = makeScrub()
    const untold = found
      .map(({ kind, name }) => ({ kind, name: scrub(name).slice(0, maxLength) }))
      .filter((drift) => this.#isNew(drift))
    return untold.length === 0
      ? undefined
      : Effect.asVoid(Effect.forkDaemon(Effect.forEach(untold, (drift) => tell(onDrift, drift))))
  }

  #isNew({ kind, name }: SchemaDrift): boolean {
    const key = `${kind} ${name}`
    if (this.#told.has(key) || this.#told.size === maxTold) return false
    this.#told.add(key)
    return true
  }
}

const tell = (onDrift: OnDrift, drift: SchemaDrift): Effect.Effect<void> =>
  Effect.catchAllCause(
    Effect.suspend(() => onDrift(drift)),
    (cause) => Effect.logWarning("onDrift did not take what it was told", cause)
  )
