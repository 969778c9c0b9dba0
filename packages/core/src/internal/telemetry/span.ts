// Spans like those of Effect.useSpan, for callbacks. They have times even if `Effect.withTracerTiming` has turned those
// off.
import * as Chunk from "effect/Chunk"
import * as Context from "effect/Context"
import type * as Exit from "effect/Exit"
import type { RuntimeFiber } from "effect/Fiber"
import * as FiberRef from "effect/FiberRef"
import * as Option from "effect/Option"
import * as Tracer from "effect/Tracer"
import { quietly } from "./quietly.ts"

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
  return quietly(() => {
    const span = fiber.currentTracer.span(
      name,
      Option.fromNullable(parent ?? visible(fiber.currentSpan)),
      Context.empty(),
      Chunk.toReadonlyArray(fiber.getFiberRef(FiberRef.currentTracerSpanLinks)),
      beganAt,
      kind
    )
    for (const [key, value] of fiber.getFiberRef(FiberRef.currentTracerSpanAnnotations))
      setAttribute(span, key, value)
    for (const [key, value] of attributes) setAttribute(span, key, value)
    return span
  })
}

export const setAttribute = (span: Tracer.Span | undefined, key: string, value: unknown): void =>
  quietly(() => span?.attribute(key, value))

export const end = (
  span: Tracer.Span | undefined,
  endedAt: bigint,
  exit: Exit.Exit<unknown, unknown>
): void => quietly(() => span?.end(endedAt, exit))
