import * as Effect from "effect/Effect"
import { Installation, InstallationErrorCode, InstallationStatus } from "../Installation.ts"
import * as InstallationMetric from "../InstallationMetric.ts"
import type { OnDrift, SchemaDrift } from "../SchemaDrift.ts"
import * as Labels from "./labels.ts"

const fields: ReadonlySet<string> = new Set(Object.keys(Installation.fields))
const statuses: ReadonlySet<string> = new Set(InstallationStatus.literals)
const errorCodes: ReadonlySet<string> = new Set(InstallationErrorCode.literals)

const kinds = new Labels.Cache()

const maxLength = 128
const maxTold = 64

/** What one client has met that it did not know. */
export class Drift {
  readonly #onDrift: OnDrift | undefined
  readonly #told = new Set<string>()

  constructor(onDrift: OnDrift | undefined) {
    this.#onDrift = onDrift
  }

  /** Counts what an answer that could be decoded holds beyond what is known, and tells of what is new. */
  note(
    { errorCode, status }: Installation,
    body: unknown,
    labels: Labels.Labels,
    makeScrub: () => (text: string) => string
  ): Effect.Effect<void> | undefined {
    const found: Array<SchemaDrift> = []
    if (!statuses.has(status)) found.push({ kind: "status", name: status })
    if (errorCode !== undefined && !errorCodes.has(errorCode))
      found.push({ kind: "errorCode", name: errorCode })
    for (const name in body as object)
      if (!fields.has(name) && found.length < maxTold) found.push({ kind: "field", name })
    for (const { kind } of found)
      InstallationMetric.drift.unsafeUpdate(
        1,
        Labels.add(
          labels,
          kinds.get(kind, () => ({ kind }))
        )
      )
    const onDrift = this.#onDrift
    const untold = found.filter((drift) => onDrift !== undefined && this.#isNew(drift))
    if (onDrift === undefined || untold.length === 0) return undefined
    const scrub = makeScrub()
    const telling = Effect.forEach(untold, ({ kind, name }) =>
      Effect.catchAllCause(
        Effect.suspend(() => onDrift({ kind, name: scrub(name).slice(0, maxLength) })),
        (cause) => Effect.logWarning("onDrift failed", cause)
      )
    )
    return Effect.asVoid(Effect.forkDaemon(telling))
  }

  #isNew({ kind, name }: SchemaDrift): boolean {
    const key = `${kind} ${name.slice(0, maxLength)}`
    return !this.#told.has(key) && this.#told.size < maxTold && !!this.#told.add(key)
  }
}
