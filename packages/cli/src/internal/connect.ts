// Connects a customer: its consent in the browser, and its tokens in the store.
import * as OAuth from "@effect-pleo/core/OAuth"
import * as RetryPolicy from "@effect-pleo/core/RetryPolicy"
import * as NodeHttpClient from "@effect-pleo/node/NodeHttpClient"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Browser from "./browser.ts"
import { environment } from "./credentials.ts"
import { CommandError } from "./failure.ts"
import { type Listener, listen } from "./loopback.ts"
import * as Store from "./store.ts"
import { say, waiting } from "./terminal.ts"

const patience = Duration.minutes(5)

/** The redirect, unless it takes too long. */
export const redirect = (listener: Listener, pending: OAuth.PendingAuthorization) =>
  listener.callback(pending.state).pipe(
    Effect.timeoutFail({
      duration: patience,
      onTimeout: () =>
        new CommandError({
          reason: "Timeout",
          message: `The browser was not redirected back within ${Duration.format(patience)}`
        })
    })
  )

export interface Options {
  readonly server: string | undefined
  readonly store: string | undefined
  readonly tenant: string | undefined
  readonly scopes: ReadonlyArray<string>
  readonly port: number
  readonly opensBrowser: boolean
}

/** Returns the tenant. */
export const connect = ({ opensBrowser, port, scopes, server, store, tenant }: Options) =>
  Effect.gen(function* () {
    const client = yield* OAuth.clientConfig
    const listener = yield* listen(port)
    const { redirectUri } = listener
    const { pending, url } = yield* OAuth.authorizationRequest({ ...client, redirectUri, scopes })
    yield* say(`To authorize the app, open this URL in a browser:\n\n  ${url}\n`)
    if (opensBrowser) yield* Browser.open(url.href)
    const callback = yield* waiting("Waiting for the consent")(redirect(listener, pending))
    const exit = yield* OAuth.completeAuthorization({
      ...client,
      callback: callback.url,
      pending,
      tenant
    }).pipe(RetryPolicy.retry(), Effect.exit)
    yield* callback.respond(
      Exit.isSuccess(exit) ? `${exit.value} is connected.` : "Not connected: the terminal says why."
    )
    return yield* exit
  }).pipe(
    Effect.scoped,
    Effect.provide(Layer.merge(Store.layer(store, true), NodeHttpClient.layer())),
    Effect.provide(environment(server))
  )
