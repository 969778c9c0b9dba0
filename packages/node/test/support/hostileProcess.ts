// A process that takes in 1 MiB in one piece and in chunks of one byte, from the URLs of its arguments, and prints by how
// many MiB its memory grows at most with each.
import * as Effect from "effect/Effect"
import * as NodeHttpClient from "../../src/NodeHttpClient.ts"

const mebibyte = 1024 * 1024

const [whole = "", chunked = ""] = process.argv.slice(2)

const growths = Effect.gen(function* () {
  const client = yield* NodeHttpClient.make()
  const take = (url: string) =>
    Effect.flatMap(client.get(url), ({ arrayBuffer }) =>
      Effect.map(arrayBuffer, ({ byteLength }) => {
        if (byteLength !== mebibyte) throw new Error(`${byteLength} bytes came`)
      })
    )
  for (let time = 0; time < 50; time++) yield* take(whole)
  const growthWith = (url: string) =>
    Effect.gen(function* () {
      const before = process.memoryUsage.rss()
      let peak = before
      const sample = () => {
        peak = Math.max(peak, process.memoryUsage.rss())
      }
      const timer = setInterval(sample, 1)
      for (let time = 0; time < 3; time++) {
        yield* take(url)
        sample()
      }
      clearInterval(timer)
      return (peak - before) / mebibyte
    })
  return { whole: yield* growthWith(whole), chunked: yield* growthWith(chunked) }
})

console.log(JSON.stringify(await Effect.runPromise(Effect.scoped(growths))))
