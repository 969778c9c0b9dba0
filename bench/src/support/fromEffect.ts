import * as Effect from "effect/Effect"
import type * as Layer from "effect/Layer"
import * as ManagedRuntime from "effect/ManagedRuntime"
import { type Contender, type Target, tokenOf } from "./contender.ts"
import type { Answer } from "./installation.ts"

interface Options<R> {
  readonly layer: (target: Target) => Layer.Layer<R, unknown>
  /** Gives the update of one installation: made once, run many times. */
  readonly prepare: (
    token: string,
    target: Target
  ) => Effect.Effect<Effect.Effect<Answer, unknown, R>, unknown, R>
  readonly isTraced: boolean
}

/** A contender from an effect that makes one update: a fiber for each worker. */
export const fromEffect =
  <R>({ isTraced, layer, prepare }: Options<R>): Contender =>
  async (target) => {
    const runtime = ManagedRuntime.make(layer(target))
    const updates: Array<Effect.Effect<Answer, unknown, R>> = []
    const prepareNext = Effect.suspend(() => prepare(tokenOf(updates.length), target)).pipe(
      Effect.map((update) => updates.push(update))
    )
    return async ({ check, take, workers }) => {
      while (updates.length < workers) await runtime.runPromise(prepareNext)
      const work = (update: Effect.Effect<Answer, unknown, R>, worker: number) =>
        Effect.whileLoop({ while: () => take(worker), body: () => update, step: check })
      const all = Effect.forEach(updates.slice(0, workers), work, { concurrency: "unbounded", discard: true })
      await runtime.runPromise(isTraced ? all : Effect.withTracerEnabled(all, false))
    }
  }
