import { createServer } from "node:http"
import * as HttpRouter from "@effect/platform/HttpRouter"
import * as HttpServer from "@effect/platform/HttpServer"
import * as HttpServerRequest from "@effect/platform/HttpServerRequest"
import * as HttpServerResponse from "@effect/platform/HttpServerResponse"
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"

// As much of OTLP's JSON as is shown here (opentelemetry-proto, trace.proto and metrics.proto).
const Attributes = Schema.Array(
  Schema.Struct({ key: Schema.String, value: Schema.Record({ key: Schema.String, value: Schema.Unknown }) })
)

const Span = Schema.Struct({
  traceId: Schema.String,
  spanId: Schema.String,
  parentSpanId: Schema.optional(Schema.String),
  name: Schema.String,
  startTimeUnixNano: Schema.BigInt,
  endTimeUnixNano: Schema.BigInt,
  attributes: Attributes
})

const Traces = Schema.Struct({
  resourceSpans: Schema.Array(
    Schema.Struct({ scopeSpans: Schema.Array(Schema.Struct({ spans: Schema.Array(Span) })) })
  )
})

const Points = Schema.Struct({
  dataPoints: Schema.Array(
    Schema.Struct({
      attributes: Attributes,
      asDouble: Schema.optional(Schema.Number),
      asInt: Schema.optional(Schema.Number),
      count: Schema.optional(Schema.Number)
    })
  )
})

const Metric = Schema.Struct({
  name: Schema.String,
  sum: Schema.optional(Points),
  histogram: Schema.optional(Points)
})

const Metrics = Schema.Struct({
  resourceMetrics: Schema.Array(
    Schema.Struct({ scopeMetrics: Schema.Array(Schema.Struct({ metrics: Schema.Array(Metric) })) })
  )
})

type Span = typeof Span.Type

/** An OpenTelemetry collector on 127.0.0.1 that keeps what it is sent. */
export class Collector extends Context.Tag("examples/Collector")<
  Collector,
  {
    readonly url: string
    /** A line for each span, those below another indented, with the attributes that tell how it ended. */
    readonly spans: Effect.Effect<ReadonlyArray<string>>
    /** A line for each counter and histogram whose name begins so, with its labels. */
    readonly metrics: (prefix: string) => Effect.Effect<ReadonlyArray<string>>
  }
>() {}

const shown = ["http.response.status_code", "http.request.resend_count", "error.type"]

const show = (attributes: typeof Attributes.Type) =>
  attributes.map(({ key, value }) => `${key}=${Object.values(value)[0]}`).join(" ")

const draw = (spans: ReadonlyArray<Span>): ReadonlyArray<string> => {
  const below = (parent: string | undefined, indent: string): ReadonlyArray<string> =>
    spans
      .filter(({ parentSpanId }) => parentSpanId === parent)
      .toSorted((a, b) => Number(a.startTimeUnixNano - b.startTimeUnixNano))
      .flatMap(({ attributes, endTimeUnixNano, name, spanId, startTimeUnixNano }) => [
        `${indent}${name}  ${(endTimeUnixNano - startTimeUnixNano) / 1_000_000n} ms  ${show(attributes.filter(({ key }) => shown.includes(key)))}`.trimEnd(),
        ...below(spanId, `${indent}  `)
      ])
  return below(undefined, "")
}

export const layer: Layer.Layer<Collector> = Layer.unwrapEffect(
  Effect.sync(() => {
    const spans: Array<Span> = []
    // The latest of each name: exporters send sums since the start, again and again.
    const metrics = new Map<string, typeof Metric.Type>()

    const router = HttpRouter.empty.pipe(
      HttpRouter.post(
        "/v1/traces",
        Effect.map(HttpServerRequest.schemaBodyJson(Traces), ({ resourceSpans }) => {
          spans.push(...resourceSpans.flatMap(({ scopeSpans }) => scopeSpans.flatMap((scope) => scope.spans)))
          return HttpServerResponse.unsafeJson({})
        })
      ),
      HttpRouter.post(
        "/v1/metrics",
        Effect.map(HttpServerRequest.schemaBodyJson(Metrics), ({ resourceMetrics }) => {
          for (const metric of resourceMetrics.flatMap(({ scopeMetrics }) =>
            scopeMetrics.flatMap((scope) => scope.metrics)
          ))
            metrics.set(metric.name, metric)
          return HttpServerResponse.unsafeJson({})
        })
      ),
      HttpRouter.post("/v1/logs", HttpServerResponse.json({}))
    )

    const collector = Layer.effect(
      Collector,
      Effect.map(HttpServer.HttpServer, ({ address }) => ({
        url: address._tag === "TcpAddress" ? `http://${address.hostname}:${address.port}` : address.path,
        spans: Effect.sync(() => draw(spans)),
        metrics: (prefix) =>
          Effect.sync(() =>
            [...metrics.values()]
              .filter(({ name }) => name.startsWith(prefix))
              .flatMap(({ histogram, name, sum }) =>
                [...(sum?.dataPoints ?? []), ...(histogram?.dataPoints ?? [])].map((point) =>
                  [
                    name,
                    show(point.attributes.filter(({ key }) => key !== "unit")),
                    point.count ?? point.asDouble ?? point.asInt
                  ]
                    .filter((part) => part !== "")
                    .join("  ")
                )
              )
              .toSorted()
          )
      }))
    )

    return Layer.merge(collector, HttpServer.serve(router)).pipe(
      Layer.provide(NodeHttpServer.layer(createServer, { host: "127.0.0.1", port: 0 })),
      Layer.orDie
    )
  })
)
