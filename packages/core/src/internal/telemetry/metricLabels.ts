// Labels of metrics. Equal labels are the same array, by which Effect's registry finds a metric without hashing each
// label.
import type { RuntimeFiber } from "effect/Fiber"
import * as FiberRef from "effect/FiberRef"
import type * as Metric from "effect/Metric"
import * as MetricLabel from "effect/MetricLabel"
import { quietly } from "./quietly.ts"

export type Labels = ReadonlyArray<MetricLabel.MetricLabel>

/** Labels set with `Effect.tagMetrics`. */
export const around = (fiber: RuntimeFiber<unknown, unknown>): Labels =>
  fiber.getFiberRef(FiberRef.currentMetricLabels)

/** Labels by one of few keys. */
export class Cache {
  readonly #known = new Map<unknown, Labels>()

  get(key: unknown, make: () => Readonly<Record<string, string>>): Labels {
    let labels = this.#known.get(key)
    if (labels === undefined) {
      labels = Object.entries(make()).map(([key, value]) => MetricLabel.make(key, value))
      this.#known.set(key, labels)
    }
    return labels
  }
}

const none: Labels = []

/** Updates a metric, with labels of its own before those around it: to Effect, another order is another metric. */
export const update = <Type, In, Out>(
  metric: Metric.Metric<Type, In, Out>,
  input: In,
  around: Labels,
  own: Labels = none
): void => quietly(() => metric.unsafeUpdate(input, around.length === 0 ? own : [...own, ...around]))
