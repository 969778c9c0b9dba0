import { type Contender, type Target, tokenOf } from "./contender.ts"
import { type Answer, newUpdate, type Update } from "./installation.ts"

/** How many installations an application has. */
const installations = 1024

const tokens = Array.from({ length: installations }, (_, installation) => tokenOf(installation))

/**
 * A contender from what an application calls for each update. The workers share the installations out: no two
 * updates of one of them are under way at once, nor one after another.
 */
export const asCalled =
  (make: (target: Target) => (token: string, update: Update) => Promise<Answer>): Contender =>
  async (target) => {
    const send = make(target)
    return async ({ check, take, workers }) => {
      const work = async (worker: number) => {
        let installation = worker
        while (take(worker)) {
          check(await send(tokens[installation] ?? tokenOf(installation), newUpdate()))
          installation += workers
          if (installation >= installations) installation = worker
        }
      }
      await Promise.all(Array.from({ length: workers }, (_, worker) => work(worker)))
    }
  }
