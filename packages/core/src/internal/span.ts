// Spans as Effect.useSpan makes them, begun and ended inside of a callback: with an effect for each, an update would
// take three times as long to be traced.
import * as Chunk from "effect/Chunk"
import * as Context from "effect/Context"
import type * as Exit from "effect/Exit"
import type { RuntimeFiber } from "effect/Fiber"
import * as FiberRef from "effect/FiberRef"
import * as Option from "effect/Option"
import * as Tracer from "effect/Tracer"

export type Fiber = RuntimeFiber<unknown, unknown>

export type Attributes = ReadonlyArray<readonly [string, unknown]>

/** The nearest span above that others may hang from. */
const visible = (span: Tracer.AnySpan | undefined): Option.Option<Tracer.AnySpan> => {
  for (let next = span; next !== undefined; ) {
    if (!Context.get(next.context, Tracer.DisablePropagation)) return Option.some(next)
    next = next._tag === "Span" ? Option.getOrUndefined(next.parent) : undefined
  }
  return Option.none()
}

const now = (fiber: Fiber, time: () => bigint): bigint =>
  fiber.getFiberRef(FiberRef.currentTracerTimingEnabled) ? time() : 0n

/** A span below `parent`, or else below the one around the fiber. `undefined` where nothing is traced. */
export const begin = (
  fiber: Fiber,
  name: string,
  kind: Tracer.SpanKind,
  attributes: Attributes,
  time: () => bigint,
  parent?: Tracer.Span
): Tracer.Span | undefined => {
  if (!fiber.getFiberRef(FiberRef.currentTracerEnabled)) return undefined
  const span = fiber.currentTracer.span(
    name,
    parent === undefined ? visible(fiber.currentSpan) : Option.some(parent),
    Context.empty(),
    Chunk.toReadonlyArray(fiber.getFiberRef(FiberRef.currentTracerSpanLinks)),
    now(fiber, time),
    kind
  )
  for (const [key, value] of fiber.getFiberRef(FiberRef.currentTracerSpanAnnotations))
    span.attribute(key, value)
  for (const [key, value] of attributes) span.attribute(key, value)
  return span
}

export const end = (
  fiber: Fiber,
  span: Tracer.Span,
  exit: Exit.Exit<unknown, unknown>,
  time: () => bigint
): void => span.end(now(fiber, time), exit)
