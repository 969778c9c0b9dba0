import * as Effect from "effect/Effect"
import {
  Installation,
  InstallationErrorCode,
  InstallationStatus,
  type SchemaDrift
} from "../../Installation.ts"
import type { Json, Metadata } from "../../Metadata.ts"
import * as MetricLabels from "../telemetry/metricLabels.ts"
import * as metrics from "../telemetry/metrics.ts"

const statuses: ReadonlySet<string> = new Set(InstallationStatus.literals)
const errorCodes: ReadonlySet<string> = new Set(InstallationErrorCode.literals)

const fields: ReadonlySet<string> = new Set(Object.keys(Installation.fields))

const kinds = new MetricLabels.Cache()

const maxLength = 128
const maxReported = 64

/** Adds the numbers beyond 2^53. JSON.parse has rounded them: their digits are lost. */
const addRounded = (value: Json, path: string, found: Array<SchemaDrift>): void => {
  if (typeof value === "number") {
    if (Math.abs(value) > Number.MAX_SAFE_INTEGER && found.length < maxReported)
      found.push({ kind: "number", name: path })
  } else if (typeof value === "object") {
    for (const key in value) addRounded((value as Metadata)[key] ?? null, `${path}.${key}`, found)
  }
}

type OnDrift = (drift: SchemaDrift) => Effect.Effect<void>

/** Reports the contents of responses that this version does not know. */
export class Drift {
  readonly #onDrift: OnDrift | undefined
  readonly #reported = new Set<string>()

  constructor(onDrift: OnDrift | undefined) {
    this.#onDrift = onDrift
  }

  /** Counts the unknown contents of a decoded response, and reports those not seen before. */
  note(
    operation: { readonly response?: unknown },
    value: unknown,
    body: unknown,
    labels: MetricLabels.Labels,
    makeRedact: () => (text: string) => string
  ): Effect.Effect<void> | undefined {
    // The other responses have no open fields that anybody acts on.
    if (operation.response !== Installation) return undefined
    const { errorCode, metadata, status } = value as Installation
    const found: Array<SchemaDrift> = []
    if (!statuses.has(status)) found.push({ kind: "status", name: status })
    if (errorCode !== undefined && !errorCodes.has(errorCode))
      found.push({ kind: "errorCode", name: errorCode })
    for (const name in body as object)
      if (!fields.has(name) && found.length < maxReported) found.push({ kind: "field", name })
    addRounded(metadata, "metadata", found)
    for (const { kind } of found)
      MetricLabels.update(
        metrics.drift,
        1,
        labels,
        kinds.get(kind, () => ({ kind }))
      )
    const onDrift = this.#onDrift
    const unreported = found.filter((drift) => onDrift !== undefined && this.#isNew(drift))
    if (onDrift === undefined || unreported.length === 0) return undefined
    const redact = makeRedact()
    const reporting = Effect.forEach(unreported, ({ kind, name }) =>
      Effect.catchAllCause(
        Effect.suspend(() => onDrift({ kind, name: redact(name).slice(0, maxLength) })),
        (cause) => Effect.logWarning("onDrift failed", cause)
      )
    )
    return Effect.asVoid(Effect.forkDaemon(reporting))
  }

  #isNew({ kind, name }: SchemaDrift): boolean {
    const key = `${kind} ${name.slice(0, maxLength)}`
    return !this.#reported.has(key) && this.#reported.size < maxReported && !!this.#reported.add(key)
  }
}
