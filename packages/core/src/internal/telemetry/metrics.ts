// The metrics of updates. docs/guide/observability.md lists their names and labels.
import * as Metric from "effect/Metric"
import * as MetricBoundaries from "effect/MetricBoundaries"

export const updateDuration = /*#__PURE__*/ Metric.histogram(
  "pleo.installation.update.duration",
  // Seconds, up to 41: the default deadline is 30.
  /*#__PURE__*/ MetricBoundaries.exponential({ start: 0.005, factor: 2, count: 14 })
)

export const activeUpdates = /*#__PURE__*/ Metric.counter("pleo.installation.updates.active")

export const attempts = /*#__PURE__*/ Metric.counter("pleo.installation.attempts", { incremental: true })

export const refreshes = /*#__PURE__*/ Metric.counter("pleo.oauth.refreshes", { incremental: true })

export const drift = /*#__PURE__*/ Metric.counter("pleo.installation.drift", { incremental: true })

export const failedReports = /*#__PURE__*/ Metric.counter("pleo.synchronization.reports.failed", {
  incremental: true
})
