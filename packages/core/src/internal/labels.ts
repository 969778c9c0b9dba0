// Labels of metrics. Those that are used again are the same array again: Effect's registry finds a metric by it at
// once, where it would otherwise hash each label.
import type { RuntimeFiber } from "effect/Fiber"
import * as FiberRef from "effect/FiberRef"
import * as MetricLabel from "effect/MetricLabel"

export type Labels = ReadonlyArray<MetricLabel.MetricLabel>

/** Labels that a caller has set by `Effect.tagMetrics`. */
export const around = (fiber: RuntimeFiber<unknown, unknown>): Labels =>
  fiber.getFiberRef(FiberRef.currentMetricLabels)

const known = new Map<string, Labels>()

/** One label, or two. The values are few: names of reasons, statuses. */
export const of = (key: string, value: string, secondKey?: string, secondValue?: string): Labels => {
  const id = `${key} ${value} ${secondValue}`
  let labels = known.get(id)
  if (labels === undefined) {
    const first = MetricLabel.make(key, value)
    labels =
      secondKey === undefined || secondValue === undefined
        ? [first]
        : [first, MetricLabel.make(secondKey, secondValue)]
    known.set(id, labels)
  }
  return labels
}

/** In the order in which Effect adds them, since it takes another order for another metric. */
export const add = (around: Labels, own: Labels): Labels => (around.length === 0 ? own : [...own, ...around])
