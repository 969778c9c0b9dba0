import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type { PresentedGrant, RecordedRequest } from "./api.ts"

interface Noted {
  /** The grant that the request presents. */
  readonly grant: PresentedGrant | undefined
  /** Completes what the record holds of the request. */
  readonly note: (news: Partial<RecordedRequest>) => Effect.Effect<void>
}

/** The record of the request at hand. */
export class Note extends Context.Reference<Note>()("@effect-pleo/testing/Note", {
  defaultValue: (): Noted => ({ grant: undefined, note: () => Effect.void })
}) {}
