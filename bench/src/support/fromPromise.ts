import { type Contender, type Target, tokenOf } from "./contender.ts"
import { type Answer, type Update, update } from "./installation.ts"

/** A contender from a function that makes one update: a loop for each worker. */
export const fromPromise =
  (make: (target: Target) => (token: string, update: Update) => Promise<Answer>): Contender =>
  async (target) => {
    const send = make(target)
    return async ({ check, take, workers }) => {
      const work = async (worker: number) => {
        const token = tokenOf(worker)
        while (take(worker)) check(await send(token, update))
      }
      await Promise.all(Array.from({ length: workers }, (_, worker) => work(worker)))
    }
  }
