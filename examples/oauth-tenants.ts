// Three customers on one layer, with tokens that live for two seconds: each
// is refreshed as it expires. Then one takes its consent back, and gives it
// again; and the authorisation server is down for a moment.
import {
  Credentials,
  InstallationService,
  OAuth,
  RetryPolicy,
  TokenStore
} from "@effect-pleo/core"
import { NodeInstallationService } from "@effect-pleo/node"
import { Fault } from "@effect-pleo/testing"
import * as Sandbox from "@effect-pleo/testing/Sandbox"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"

const customers = ["acme", "borealis", "cirrus"] as const

/**
 * Connects a customer that has authorized the app. Here the sandbox plays
 * Pleo's consent page.
 */
const authorize = (tenant: string) =>
  Effect.gen(function* () {
    const sandbox = yield* Sandbox.Sandbox
    const grant = yield* sandbox.authorize({ expiresIn: "2 seconds" })
    yield* OAuth.storeTokens(
      { ...(yield* OAuth.clientConfig), tenant },
      grant
    )
    return grant.id
  })

const update = (tenant: string) =>
  InstallationService.update({ status: "ACTIVATED" }).pipe(
    RetryPolicy.retry(),
    Credentials.use(OAuth.tenant(tenant)),
    Effect.match({
      onFailure: (error) => `  ${tenant}: ${error.message}`,
      onSuccess: ({ status }) => `  ${tenant}: ${status}`
    })
  )

const program = Effect.gen(function* () {
  const sandbox = yield* Sandbox.Sandbox
  const names = new Map<string, string>()
  let seen = 0

  /**
   * Updates all customers, and shows what that took, as the sandbox saw it.
   */
  const updateAll = (title: string) =>
    Effect.gen(function* () {
      yield* Console.log(`\n${title}`)
      const outcomes = yield* Effect.forEach(customers, update, {
        concurrency: "unbounded"
      })
      const requests = (yield* sandbox.requests).slice(seen)
      seen += requests.length
      for (const { grant, method, path, status } of requests) {
        const token =
          grant === undefined
            ? ""
            : `${names.get(grant.id)}'s token ${grant.generation}`
        yield* Console.log(
          `  ${method.padEnd(4)} ${path.padEnd(20)} ${status}  ${token}`
        )
      }
      yield* Effect.forEach(outcomes, (outcome) => Console.log(outcome))
    })

  for (const name of customers) names.set(yield* authorize(name), name)
  yield* updateAll("The first tokens")
  yield* updateAll("The same tokens, since they are still good")
  yield* Effect.sleep("2 seconds")
  yield* updateAll("Two seconds later: each is refreshed once")

  const [acme] = names.keys()
  yield* sandbox.revoke(acme ?? "")
  yield* sandbox.inject(
    Fault.status(503, { when: ({ path }) => path === "/oauth/token" })
  )
  yield* Effect.sleep("2 seconds")
  yield* updateAll(
    "acme has taken its consent back, and the first refresh is answered with 503"
  )
  yield* updateAll("For acme, nothing is sent any more")

  names.set(yield* authorize("acme"), "acme")
  yield* updateAll("acme has let the app in again")
})

const live = Sandbox.layerTest(
  NodeInstallationService.layerConfig({ credentials: OAuth.config }).pipe(
    Layer.provideMerge(TokenStore.layerMemory)
  ),
  { clientId: "my-app" }
)

await Effect.runPromise(Effect.provide(program, live))
