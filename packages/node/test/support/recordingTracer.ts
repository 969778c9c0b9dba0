import * as Effect from "effect/Effect"
import * as Tracer from "effect/Tracer"

/** Runs an effect with the tracer that it would have anyway, and gives the spans that it made. */
export const recordSpans = <A, E, R>(
  self: Effect.Effect<A, E, R>
): Effect.Effect<readonly [A, ReadonlyArray<Tracer.Span>], E, R> =>
  Effect.flatMap(Effect.tracer, (tracer) => {
    const spans: Array<Tracer.Span> = []
    const recording = Tracer.make({
      span: (...args) => {
        const span = tracer.span(...args)
        spans.push(span)
        return span
      },
      context: (f, fiber) => tracer.context(f, fiber)
    })
    return Effect.map(Effect.withTracer(self, recording), (value) => [value, spans] as const)
  })
