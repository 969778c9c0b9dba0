// The routes by which another process injects faults, changes grants, and reads what the sandbox holds.
import * as HttpApiBuilder from "@effect/platform/HttpApiBuilder"
import * as HttpRouter from "@effect/platform/HttpRouter"
import * as HttpServerRequest from "@effect/platform/HttpServerRequest"
import * as HttpServerResponse from "@effect/platform/HttpServerResponse"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as ParseResult from "effect/ParseResult"
import * as Schema from "effect/Schema"
import {
  controlPrefix,
  FaultOrder,
  Grant,
  GrantOrder,
  GrantState,
  OwnedInstallation,
  PendingFault,
  planOf,
  RecordedRequest
} from "./api.ts"
import { SandboxState } from "./state.ts"

interface Issue {
  readonly path: string
  readonly message: string
}

type Response = HttpServerResponse.HttpServerResponse

/** A refusal: which part of the request it is for, and what was expected there. */
export const problem = (status: number, ...issues: ReadonlyArray<Issue>): Response =>
  HttpServerResponse.unsafeJson({ issues }, { status })

const json =
  <A, I>(schema: Schema.Schema<A, I>) =>
  (value: A): Response =>
    HttpServerResponse.unsafeJson(Schema.encodeSync(schema)(value))

const noContent = HttpServerResponse.empty({ status: 204 })

// The received value is left out: it may be a secret.
const issuesOf = (error: ParseResult.ParseError): ReadonlyArray<Issue> =>
  ParseResult.ArrayFormatter.formatErrorSync(error).map(({ message, path }) => ({
    path: path.join("."),
    message: message.replace(/, actual .*$/s, "")
  }))

const parse = (text: string): Either.Either<unknown, Issue> =>
  Either.try({
    try: (): unknown => (text === "" ? {} : JSON.parse(text)),
    catch: () => ({ path: "", message: "Expected JSON" })
  })

/** Carries out the body of a request, if it is valid. */
const withBody = <A, I>(schema: Schema.Schema<A, I>, use: (value: A) => Effect.Effect<Response>) =>
  Effect.gen(function* () {
    const { text } = yield* HttpServerRequest.HttpServerRequest
    const body = parse(yield* Effect.orElseSucceed(text, () => ""))
    if (Either.isLeft(body)) return problem(400, body.left)
    const value = Schema.decodeUnknownEither(schema, { errors: "all", onExcessProperty: "error" })(body.right)
    return Either.isLeft(value) ? problem(400, ...issuesOf(value.left)) : yield* use(value.right)
  })

/** Carries out a change of what the path names by its id, if there is such a thing. */
const withId = (name: string, change: (id: string) => Effect.Effect<boolean>) =>
  Effect.gen(function* () {
    const { id = "" } = yield* HttpRouter.params
    return (yield* change(id))
      ? noContent
      : problem(404, { path: "id", message: `Expected the id of a ${name}` })
  })

export const layer = HttpApiBuilder.Router.use((router) =>
  Effect.gen(function* () {
    const { authorization, marketplace, names } = yield* SandboxState
    const path = <P extends string>(rest: P) => `${controlPrefix}/${rest}` as const
    yield* router.get(
      path("requests"),
      Effect.map(marketplace.record.all, json(Schema.Array(RecordedRequest)))
    )
    yield* router.get(
      path("installations"),
      Effect.sync(() =>
        json(Schema.Array(OwnedInstallation))(
          Array.from(marketplace.installations, ([key, installation]) => ({
            owner: names.of(key),
            ...installation
          }))
        )
      )
    )
    yield* router.get(
      path("faults"),
      Effect.sync(() =>
        json(Schema.Array(PendingFault))(
          marketplace.faults.map(({ id, left, plan: { label, path } }) => ({
            id,
            fault: label,
            left: Number.isFinite(left) ? left : null,
            ...(path !== undefined && { path })
          }))
        )
      )
    )
    yield* router.post(
      path("faults"),
      withBody(FaultOrder, (order) =>
        Effect.sync(() => {
          marketplace.inject([planOf(order)])
          return noContent
        })
      )
    )
    yield* router.del(
      path("faults/:id"),
      withId("pending fault", (id) => Effect.sync(() => marketplace.withdraw(id)))
    )
    yield* router.get(
      path("grants"),
      Effect.map(Clock.currentTimeMillis, (now) => json(Schema.Array(GrantState))(authorization.list(now)))
    )
    yield* router.post(
      path("grants"),
      withBody(GrantOrder, (order) => Effect.map(authorization.authorize(order), json(Grant)))
    )
    yield* router.del(path("grants/:id"), withId("grant", authorization.revoke))
    yield* router.post(path("grants/:id/expire"), withId("grant", authorization.expire))
    yield* router.all(
      path("*"),
      Effect.succeed(problem(404, { path: "", message: "Expected a method and a path that the sandbox has" }))
    )
  })
)
