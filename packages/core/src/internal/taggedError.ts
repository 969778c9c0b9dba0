// The class beneath the errors of an update.
import * as Data from "effect/Data"
import * as Duration from "effect/Duration"

interface Described {
  readonly _tag: string
  readonly reason?: string
  readonly message: string
  readonly isRetryable: boolean
  readonly mayHaveBeenApplied: boolean
  readonly retryAfter?: Duration.Duration
  readonly retried?: { readonly waited: Duration.Duration }
}

/** Own fields, with durations as numbers, the most telling first. */
const toJSON = (error: Described): object => {
  const { _tag, reason, message, isRetryable, mayHaveBeenApplied, retried, retryAfter, ...others } = error
  const { waited, ...attempts } = retried ?? {}
  return {
    _tag,
    ...(reason && { reason }),
    message,
    isRetryable,
    mayHaveBeenApplied,
    ...others,
    ...(retryAfter && { retryAfterMillis: Duration.toMillis(retryAfter) }),
    ...(waited && { retried: { ...attempts, waitedMillis: Duration.toMillis(waited) } })
  }
}

/** `Data.TaggedError`, in whose equality and JSON an undefined field is an absent one. */
export const taggedError = <Tag extends string>(tag: Tag): ReturnType<typeof Data.TaggedError<Tag>> => {
  const Base = Data.TaggedError(tag) as unknown as new (fields: object) => Described & Error
  class Tagged extends Base {
    constructor(fields: object) {
      const defined: Record<string, unknown> = { _tag: tag }
      for (const [key, value] of Object.entries(fields)) if (value !== undefined) defined[key] = value
      // A stack would show only frames of this library and of Effect. Reflect, since `Error` may be frozen.
      const limit: unknown = Reflect.get(Error, "stackTraceLimit")
      Reflect.set(Error, "stackTraceLimit", 0)
      super(defined)
      Reflect.set(Error, "stackTraceLimit", limit)
    }
    toJSON(): unknown {
      return toJSON(this)
    }
  }
  return Tagged as never
}
