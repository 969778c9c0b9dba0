/**
 * What the sandbox can be ordered to do instead of its duty.
 *
 * @since 0.1.0
 * @module
 */
import * as Duration from "effect/Duration"
import * as Schema from "effect/Schema"

/**
 * Answers without looking at the request: nothing is applied.
 *
 * @since 0.1.0
 * @category models
 */
export const Respond = Schema.TaggedStruct("Respond", {
  status: Schema.Int.pipe(Schema.between(200, 999)),
  headers: Schema.optionalWith(Schema.Record({ key: Schema.String, value: Schema.String }), {
    default: () => ({})
  }),
  body: Schema.optionalWith(Schema.String, { default: () => "" })
})

/**
 * Carries the request out at once, and answers so many milliseconds later.
 *
 * @since 0.1.0
 * @category models
 */
export const Delay = Schema.TaggedStruct("Delay", { duration: Schema.DurationFromMillis })

/**
 * Resets the connection instead of answering: nothing is applied.
 *
 * @since 0.1.0
 * @category models
 */
export const Reset = Schema.TaggedStruct("Reset", {})

/**
 * Carries the request out, and resets the connection instead of answering.
 *
 * @since 0.1.0
 * @category models
 */
export const Lose = Schema.TaggedStruct("Lose", {})

/**
 * Never answers: nothing is applied.
 *
 * @since 0.1.0
 * @category models
 */
export const Stall = Schema.TaggedStruct("Stall", {})

/**
 * Any of the faults.
 *
 * @since 0.1.0
 * @category models
 */
export const Fault = Schema.Union(Respond, Delay, Reset, Lose, Stall)

/**
 * @since 0.1.0
 * @category models
 */
export type Fault = typeof Fault.Type

/**
 * An answer with this status, empty unless given a body.
 *
 * @since 0.1.0
 * @category constructors
 */
export const status = (
  status: number,
  options?: { readonly headers?: Readonly<Record<string, string>>; readonly body?: string }
): Fault => Respond.make({ status, ...options })

/**
 * A success whose body is a web page: what a proxy or a captive portal sends.
 *
 * @since 0.1.0
 * @category constructors
 */
export const garbage: Fault = Respond.make({
  status: 200,
  headers: { "content-type": "text/html" },
  body: "<html><body>Welcome to the network</body></html>"
})

/**
 * The request is carried out at once, and the answer comes late.
 *
 * @since 0.1.0
 * @category constructors
 */
export const delay = (duration: Duration.DurationInput): Fault =>
  Delay.make({ duration: Duration.decode(duration) })

/**
 * The connection is reset instead of an answer, and nothing is applied.
 *
 * @since 0.1.0
 * @category constructors
 */
export const reset: Fault = Reset.make({})

/**
 * The request is carried out, and its answer is lost: the connection is reset.
 *
 * @since 0.1.0
 * @category constructors
 */
export const lose: Fault = Lose.make({})

/**
 * The connection stays open without an answer, and nothing is applied.
 *
 * @since 0.1.0
 * @category constructors
 */
export const stall: Fault = Stall.make({})
