/**
 * What is counted of updates, in Effect's own metrics: `Metric.snapshot` and the exporters of `@effect/opentelemetry`
 * show them under the names given here. Labels of `Effect.tagMetrics` come on top.
 *
 * @since 0.1.0
 */
import * as Metric from "effect/Metric"
import * as MetricBoundaries from "effect/MetricBoundaries"

/**
 * `pleo.installation.updates`: the updates that have ended, each counted once, however many attempts it took. The
 * label `outcome` is `Success`, the tag of the error (`BadRequest`, `Unauthorized`, `Infrastructure`), `Interrupted`
 * or `Defect`; `reason` is that of the error, where it has one.
 *
 * @since 0.1.0
 * @category metrics
 */
export const updates: Metric.Metric.Counter<number> = /*#__PURE__*/ Metric.counter(
  "pleo.installation.updates",
  {
    description: "Updates that have ended",
    incremental: true
  }
)

/**
 * `pleo.installation.update.duration`: how long updates took in seconds, from the call to the end of the last attempt,
 * with the waits in between. The label `outcome` is that of `updates`.
 *
 * @since 0.1.0
 * @category metrics
 */
export const updateDuration: Metric.Metric.Histogram<number> = /*#__PURE__*/ Metric.histogram(
  "pleo.installation.update.duration",
  // The boundaries that OpenTelemetry recommends for HTTP clients, and as far as the default deadline.
  /*#__PURE__*/ MetricBoundaries.fromIterable([
    0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10, 20, 30
  ]),
  "Seconds that an update took, all attempts and waits included"
)

/**
 * `pleo.installation.updates.active`: the updates under way, those that wait to be tried again included.
 *
 * @since 0.1.0
 * @category metrics
 */
export const activeUpdates: Metric.Metric.Counter<number> = /*#__PURE__*/ Metric.counter(
  "pleo.installation.updates.active",
  { description: "Updates under way" }
)

/**
 * `pleo.installation.attempts`: the requests sent to Pleo, retries included. The label `result` is the status of the
 * answer, or else the reason why there was none, such as `Transport` or `Timeout`.
 *
 * @since 0.1.0
 * @category metrics
 */
export const attempts: Metric.Metric.Counter<number> = /*#__PURE__*/ Metric.counter(
  "pleo.installation.attempts",
  { description: "Requests sent to Pleo, retries included", incremental: true }
)

/**
 * `pleo.oauth.refreshes`: the refresh tokens sent to the token endpoint. The label `result` is `Issued`; `Refused`,
 * when the customer has to authorise the app again; `Failed`, when the token stays as good as it was; or `Lost`, when
 * no answer came.
 *
 * @since 0.1.0
 * @category metrics
 */
export const refreshes: Metric.Metric.Counter<number> = /*#__PURE__*/ Metric.counter("pleo.oauth.refreshes", {
  description: "Refresh tokens sent to the token endpoint",
  incremental: true
})

/**
 * `pleo.installation.drift`: what answers held that this version does not know: see `SchemaDrift`. The label `kind`
 * is `status`, `errorCode` or `field`.
 *
 * @since 0.1.0
 * @category metrics
 */
export const drift: Metric.Metric.Counter<number> = /*#__PURE__*/ Metric.counter("pleo.installation.drift", {
  description: "What answers held that this version does not know",
  incremental: true
})
