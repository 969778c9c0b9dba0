// Spans like those of Effect.useSpan, for callbacks. They have times even if `Effect.withTracerTiming` has turned those
// off.
import * as Chunk from "effect/Chunk"
import * as Context from "effect/Context"
import type { RuntimeFiber } from "effect/Fiber"
import * as FiberRef from "effect/FiberRef"
import * as Option from "effect/Option"
import * as Tracer from "effect/Tracer"

export type Fiber = RuntimeFiber<unknown, unknown>

export type Attributes = ReadonlyArray<readonly [string, unknown]>

/** The nearest span that may have children. */
const visible = (span: Tracer.AnySpan | undefined): Tracer.AnySpan | undefined =>
  span && Context.get(span.context, Tracer.DisablePropagation)
    ? visible(span._tag === "Span" ? Option.getOrUndefined(span.parent) : undefined)
    : span

/** A child of `parent`, or else of the fiber's span. `undefined` if tracing is off. */
export const begin = (
  fiber: Fiber,
  name: string,
  kind: Tracer.SpanKind,
  attributes: Attributes,
  beganAt: bigint,
  parent?: Tracer.Span
): Tracer.Span | undefined => {
  if (!fiber.getFiberRef(FiberRef.currentTracerEnabled)) return undefined
  const span = fiber.currentTracer.span(
    name,
    Option.fromNullable(parent ?? visible(fiber.currentSpan)),
    Context.empty(),
    Chunk.toReadonlyArray(fiber.getFiberRef(FiberRef.currentTracerSpanLinks)),
    beganAt,
    kind
  )
  for (const [key, value] of fiber.getFiberRef(FiberRef.currentTracerSpanAnnotations))
    span.attribute(key, value)
  for (const [key, value] of attributes) span.attribute(key, value)
  return span
}
