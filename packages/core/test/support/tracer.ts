import * as Option from "effect/Option"
import * as Tracer from "effect/Tracer"

export interface RecordedSpan extends Tracer.Span {
  readonly events: ReadonlyArray<readonly [string, unknown]>
}

/** A tracer that keeps every span, in the order in which they began. */
export const recordingTracer = (): {
  readonly spans: ReadonlyArray<RecordedSpan>
  readonly tracer: Tracer.Tracer
} => {
  const spans: Array<RecordedSpan> = []
  const tracer = Tracer.make({
    span: (name, parent, context, links, startTime, kind) => {
      const attributes = new Map<string, unknown>()
      const events: Array<readonly [string, unknown]> = []
      let status: Tracer.SpanStatus = { _tag: "Started", startTime }
      const span: RecordedSpan = {
        _tag: "Span",
        name,
        spanId: String(spans.length + 1).padStart(16, "0"),
        traceId: Option.match(parent, {
          onNone: () => "1".padStart(32, "0"),
          onSome: ({ traceId }) => traceId
        }),
        parent,
        context,
        get status() {
          return status
        },
        attributes,
        links,
        sampled: true,
        kind,
        events,
        end: (endTime, exit) => {
          status = { _tag: "Ended", startTime, endTime, exit }
        },
        attribute: (key, value) => {
          attributes.set(key, value)
        },
        event: (event, _, about) => {
          events.push([event, about])
        },
        addLinks: () => {}
      }
      spans.push(span)
      return span
    },
    context: (f) => f()
  })
  return { spans, tracer }
}
