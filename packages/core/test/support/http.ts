import * as HttpClient from "@effect/platform/HttpClient"
import type { HttpClientError } from "@effect/platform/HttpClientError"
import type { HttpClientRequest } from "@effect/platform/HttpClientRequest"
import * as HttpClientResponse from "@effect/platform/HttpClientResponse"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as Credentials from "../../src/Credentials.ts"
import type { Installation, UpdateInstallation } from "../../src/Installation.ts"
import * as InstallationClient from "../../src/InstallationClient.ts"
import type { BadRequest, InstallationError, Unauthorized } from "../../src/InstallationError.ts"
import { update } from "../../src/InstallationService.ts"
import type { Server } from "../../src/internal/contract/servers.ts"
import { exampleResponse } from "./contract.ts"

export interface Recorded {
  readonly client: HttpClient.HttpClient
  readonly requests: ReadonlyArray<HttpClientRequest>
}

type Answer = (
  request: HttpClientRequest,
  signal: AbortSignal
) => Response | Effect.Effect<Response, HttpClientError>

/** A client that answers by itself and remembers what it was asked. */
export const answering = (answer: Answer): Recorded => {
  const requests: Array<HttpClientRequest> = []
  const client = HttpClient.make((request, _url, signal) =>
    Effect.suspend(() => {
      requests.push(request)
      const response = answer(request, signal)
      return Effect.map(Effect.isEffect(response) ? response : Effect.succeed(response), (source) =>
        HttpClientResponse.fromWeb(request, source)
      )
    })
  )
  return { client, requests }
}

export const installation = (changes: Readonly<Record<string, unknown>> = {}): Response =>
  new Response(JSON.stringify({ ...exampleResponse, ...changes }), {
    headers: { "content-type": "application/json;charset=UTF-8" }
  })

export const bodyOf = (request: HttpClientRequest | undefined): string =>
  request?.body._tag === "Uint8Array" ? new TextDecoder().decode(request.body.body) : ""

export const authorizationOf = (request: HttpClientRequest | undefined): string | undefined =>
  request?.headers["authorization"]

export const bearer = (token: string) => Credentials.bearer(Redacted.make(token))

export const apiKey = (key: string) => Credentials.apiKey(Redacted.make(key))

export const activated: UpdateInstallation = { status: "ACTIVATED" }

interface Options {
  readonly credentials?: Effect.Effect<Credentials.Credentials, Unauthorized>
  readonly server?: Server
  readonly request?: UpdateInstallation
}

/** One update through the client. */
export const send = (
  client: HttpClient.HttpClient,
  { credentials = bearer("token"), request = activated, server = "production" }: Options = {}
): Effect.Effect<Installation, BadRequest | InstallationError> =>
  update(request).pipe(
    Effect.provide(InstallationClient.layer({ credentials, server })),
    Effect.provideService(HttpClient.HttpClient, client)
  )
