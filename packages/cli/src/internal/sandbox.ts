// The sandbox of @effect-pleo/testing, until it is interrupted.
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { cannotListen } from "./failure.ts"
import * as Json from "./json.ts"
import { result } from "./output.ts"

const usage = (url: string): string => `The sandbox listens on ${url}

  export PLEO_SERVER=${url} PLEO_ACCESS_TOKEN=any-token
  effect-pleo update ACTIVATED

Each token or API key has an installation of its own. For connect, instead of the token:

  unset PLEO_ACCESS_TOKEN
  export PLEO_TOKEN_ENDPOINT=${url}/oauth/token PLEO_CLIENT_ID=any-id PLEO_CLIENT_SECRET=any-secret`

export const run = (port: number, json: boolean) =>
  Effect.gen(function* () {
    // Its HTTP server takes a while to load.
    const { layer, Sandbox } = yield* Effect.promise(() => import("@effect-pleo/testing/Sandbox"))
    const listening = Layer.mapError(layer({ port }), (error) => cannotListen(port, error))
    const announced = Effect.flatMap(Sandbox, ({ url }) =>
      result(json, Json.Listening, { url }, () => usage(url))
    )
    return yield* Effect.provide(Effect.zipRight(announced, Effect.never), listening)
  })
