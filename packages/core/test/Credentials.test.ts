import * as HttpClient from "@effect/platform/HttpClient"
import { describe, expect, it } from "@effect/vitest"
import * as ConfigError from "effect/ConfigError"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as FastCheck from "effect/FastCheck"
import * as Fiber from "effect/Fiber"
import { identity } from "effect/Function"
import * as Redacted from "effect/Redacted"
import * as Credentials from "../src/Credentials.ts"
import * as InstallationClient from "../src/InstallationClient.ts"
import { Unauthorized } from "../src/InstallationError.ts"
import { type InstallationService, update } from "../src/InstallationService.ts"
import * as RetryPolicy from "../src/RetryPolicy.ts"
import {
  activated,
  answering,
  apiKey,
  authorizationOf,
  bearer,
  bodyOf,
  installation,
  send
} from "./support/http.ts"
import { Leaky, leaks, probes } from "./support/probes.ts"

const canary = "canary-5f1c"

const base64 = (text: string) => Buffer.from(text).toString("base64")

/** The Authorization header that goes out with these credentials. */
const header = (credentials: Effect.Effect<Credentials.Credentials, Unauthorized>) =>
  Effect.gen(function* () {
    const { client, requests } = answering(() => installation())
    yield* send(client, { credentials })
    return authorizationOf(requests[0])
  })

const visibleAscii = FastCheck.string({
  unit: FastCheck.integer({ min: 0x21, max: 0x7e }).map((code) => String.fromCharCode(code)),
  minLength: 1
})

describe("Credentials", () => {
  it.effect.prop(
    "a token of visible ASCII is sent as a bearer token",
    [visibleAscii],
    ([token]) =>
      Effect.gen(function* () {
        expect(yield* header(bearer(token))).toBe(`Bearer ${token}`)
      }),
    { fastCheck: { numRuns: 25 } }
  )

  it.effect.prop(
    "a key of visible ASCII is sent as the user name of Basic, with an empty password",
    [visibleAscii.map((key) => key.replaceAll(":", ";"))],
    ([key]) =>
      Effect.gen(function* () {
        expect(yield* header(apiKey(key))).toBe(`Basic ${base64(`${key}:`)}`)
      }),
    { fastCheck: { numRuns: 25 } }
  )

  it.effect("every visible ASCII character is sent as it is", () =>
    Effect.gen(function* () {
      const all = String.fromCharCode(...Array.from({ length: 0x7e - 0x20 }, (_, index) => 0x21 + index))
      expect(yield* header(bearer(all))).toBe(`Bearer ${all}`)
    })
  )

  const unsendable: ReadonlyArray<readonly [string, string]> = [
    ["CR", `${canary}\r`],
    ["LF", `${canary}\nx-injected: 1`],
    ["CR and LF", `${canary}\r\nx-injected: 1`],
    ["NUL", `${canary}\0`],
    ["a space", `${canary} `],
    ["a space before it", ` ${canary}`],
    ["a tab", `${canary}\t`],
    ["DEL", `${canary}\x7f`],
    ["é", `${canary}é`],
    ["€", `${canary}€`],
    ["a no-break space", `${canary}\u00a0`],
    ["an emoji", `${canary}🧾`],
    ["a lone surrogate", `${canary}\ud800`]
  ]

  const refusals = [
    ...unsendable.flatMap(([name, secret]) => [
      { name: `a token with ${name}`, credentials: bearer(secret), field: "accessToken" },
      { name: `an API key with ${name}`, credentials: apiKey(secret), field: "apiKey" }
    ]),
    { name: "an API key with a colon", credentials: apiKey(`${canary}:password`), field: "apiKey" },
    { name: "an empty token", credentials: bearer(""), field: "accessToken" },
    { name: "an empty API key", credentials: apiKey(""), field: "apiKey" }
  ]

  it.effect.each(refusals)("$name is refused, and not shown", ({ credentials, field }) =>
    Effect.gen(function* () {
      const exit = yield* Effect.exit(credentials)
      expect(leaks(exit, canary)).toEqual([])
      const error = yield* Effect.flip(credentials)
      expect(error).toBeInstanceOf(Unauthorized)
      expect(error.reason).toBe("Unauthenticated")
      expect(error.status).toBeUndefined()
      expect(error.mayHaveBeenApplied).toBe(false)
      expect(error.issues?.map(({ path }) => path)).toEqual([[field]])
      expect(leaks(error, canary)).toEqual([])
    })
  )

  it("every probe would have found the secret", () => {
    expect(leaks(Exit.fail(new Leaky(canary)), canary)).toEqual(probes)
  })

  it.effect("a token with a colon is sent, since a token has no user name", () =>
    Effect.gen(function* () {
      expect(yield* header(bearer("a:b"))).toBe("Bearer a:b")
    })
  )

  it.effect("a refused credential is refused before any request", () =>
    Effect.gen(function* () {
      const { client, requests } = answering(() => installation())
      const error = yield* Effect.flip(send(client, { credentials: bearer("") }))
      expect(error._tag).toBe("Unauthorized")
      expect(requests).toEqual([])
    })
  )

  describe("printed", () => {
    it.effect.each([
      { name: "a bearer token", credentials: bearer(canary), secrets: [canary] },
      { name: "an API key", credentials: apiKey(canary), secrets: [canary, base64(`${canary}:`)] }
    ])("$name does not show", ({ credentials, secrets }) =>
      Effect.gen(function* () {
        const made = yield* credentials
        expect(leaks(made, ...secrets)).toEqual([])
        expect(leaks({ options: { credentials: made } }, ...secrets)).toEqual([])
      })
    )

    it("every probe would find a credential without this defence", () => {
      class Naive {
        readonly authorization = `Bearer ${canary}`
        toString(): string {
          return this.authorization
        }
      }
      expect(leaks(new Naive(), canary)).toEqual(probes)
    })
  })

  describe("config", () => {
    const load = (variables: Readonly<Record<string, string>>) =>
      Effect.withConfigProvider(
        Credentials.config,
        ConfigProvider.fromMap(new Map(Object.entries(variables)))
      )

    it.effect("PLEO_ACCESS_TOKEN is a bearer token", () =>
      Effect.gen(function* () {
        const credentials = yield* load({ PLEO_ACCESS_TOKEN: "token" })
        expect(yield* header(Effect.succeed(credentials))).toBe("Bearer token")
      })
    )

    it.effect("PLEO_API_KEY is an API key", () =>
      Effect.gen(function* () {
        const credentials = yield* load({ PLEO_API_KEY: "key" })
        expect(yield* header(Effect.succeed(credentials))).toBe(`Basic ${base64("key:")}`)
      })
    )

    const messages: ReadonlyArray<readonly [string, Readonly<Record<string, string>>, string]> = [
      [
        "neither",
        {},
        '(Missing data at PLEO_ACCESS_TOKEN: "Set PLEO_ACCESS_TOKEN to an access token, or PLEO_API_KEY to an API key")'
      ],
      [
        "both",
        { PLEO_ACCESS_TOKEN: canary, PLEO_API_KEY: canary },
        '(Invalid data at PLEO_ACCESS_TOKEN: "PLEO_API_KEY is set too: unset one of them")'
      ],
      [
        "a blank token",
        { PLEO_ACCESS_TOKEN: " ", PLEO_API_KEY: "" },
        '(Invalid data at PLEO_ACCESS_TOKEN: "is blank")'
      ],
      [
        "a token with a line break",
        { PLEO_ACCESS_TOKEN: `${canary}\n` },
        '(Invalid data at PLEO_ACCESS_TOKEN: "ends with a line break")'
      ],
      [
        "a key with a line break of Windows",
        { PLEO_API_KEY: `${canary}\r\n` },
        '(Invalid data at PLEO_API_KEY: "ends with a line break")'
      ],
      [
        "a token with é",
        { PLEO_ACCESS_TOKEN: `${canary}é` },
        '(Invalid data at PLEO_ACCESS_TOKEN: "expected visible ASCII without spaces")'
      ],
      [
        "a key with a space",
        { PLEO_API_KEY: `${canary} x` },
        '(Invalid data at PLEO_API_KEY: "expected visible ASCII without spaces")'
      ],
      [
        "a key with a colon",
        { PLEO_API_KEY: `${canary}:x` },
        '(Invalid data at PLEO_API_KEY: "has a colon")'
      ],
      ...["PLEO_CLIENT_ID", "PLEO_CLIENT_SECRET", "PLEO_TENANT", "PLEO_TOKEN_ENDPOINT"].map(
        (name) =>
          [
            `a key and ${name}`,
            { PLEO_API_KEY: canary, [name]: canary },
            `(Invalid data at ${name}: "belongs to OAuth.config, not to PLEO_ACCESS_TOKEN or PLEO_API_KEY: unset it, or pass OAuth.config as credentials")`
          ] as const
      )
    ]

    it.effect.each(messages)(
      "%s is a ConfigError that says what to set, and shows no secret",
      ([, variables, message]) =>
        Effect.gen(function* () {
          const exit = yield* Effect.exit(load(variables))
          expect(leaks(exit, canary)).toEqual([])
          const error = yield* Effect.flip(load(variables))
          expect(ConfigError.isConfigError(error)).toBe(true)
          expect(String(error)).toBe(message)
        })
    )

    it.effect.each(messages.filter(([name]) => !/line break|blank/.test(name)))(
      "%s names the variable as a nested config provider does",
      ([, variables, message]) =>
        Effect.gen(function* () {
          const nested = Object.entries(variables).map(([name, value]) => [`APP.${name}`, value] as const)
          const error = yield* Effect.flip(
            Effect.withConfigProvider(
              Credentials.config,
              ConfigProvider.nested(ConfigProvider.fromMap(new Map(nested)), "APP")
            )
          )
          expect(String(error)).toBe(message.replace(" data at ", " data at APP."))
        })
    )

    it.effect.each<readonly [Readonly<Record<string, string>>, string]>([
      [{ PLEO_ACCESS_TOKEN: "", PLEO_API_KEY: "key" }, `Basic ${base64("key:")}`],
      [{ PLEO_ACCESS_TOKEN: "token", PLEO_API_KEY: "", PLEO_CLIENT_ID: "", PLEO_TENANT: "" }, "Bearer token"]
    ])("an empty variable is unset: %j", ([variables, expected]) =>
      Effect.gen(function* () {
        const credentials = yield* load(variables)
        expect(yield* header(Effect.succeed(credentials))).toBe(expected)
      })
    )

    it.effect("a variable is unset if both of two config providers lack it", () =>
      Effect.gen(function* () {
        const empty = ConfigProvider.fromMap(new Map())
        const error = yield* Effect.flip(
          Effect.withConfigProvider(
            Credentials.config,
            ConfigProvider.orElse(empty, () => empty)
          )
        )
        expect(String(error)).toBe(messages[0]?.[2])
      })
    )
  })

  describe("use", () => {
    const withDefault = <A, E>(
      program: Effect.Effect<A, E, InstallationService>,
      client: HttpClient.HttpClient
    ) =>
      program.pipe(
        Effect.provide(InstallationClient.layer({ credentials: bearer("default") })),
        Effect.provideService(HttpClient.HttpClient, client)
      )

    it.effect("replaces the credentials for one call, and for no other", () =>
      Effect.gen(function* () {
        const { client, requests } = answering(() => installation())
        yield* withDefault(
          Effect.gen(function* () {
            yield* update(activated)
            yield* update(activated).pipe(Credentials.use(bearer("tenant")))
            yield* update(activated)
          }),
          client
        )
        expect(requests.map(authorizationOf)).toEqual(["Bearer default", "Bearer tenant", "Bearer default"])
      })
    )

    it.effect("replaces them for a whole region, and the innermost wins", () =>
      Effect.gen(function* () {
        const { client, requests } = answering(() => installation())
        yield* withDefault(
          Effect.gen(function* () {
            yield* update(activated)
            yield* update(activated).pipe(Credentials.use(apiKey("inner")))
            yield* update(activated)
          }).pipe(Credentials.use(bearer("outer"))),
          client
        )
        expect(requests.map(authorizationOf)).toEqual([
          "Bearer outer",
          `Basic ${base64("inner:")}`,
          "Bearer outer"
        ])
      })
    )

    const interrupted = Effect.withFiberRuntime((fiber) => {
      fiber.unsafeInterruptAsFork(fiber.id())
      return Effect.never
    })
    const ends: ReadonlyArray<{ readonly end: string; readonly inner: Effect.Effect<void, unknown> }> = [
      { end: "succeeds", inner: Effect.void },
      { end: "fails", inner: Effect.fail("failed") },
      { end: "dies", inner: Effect.die("defect") },
      { end: "interrupts itself", inner: Effect.interrupt },
      { end: "is interrupted", inner: interrupted }
    ]
    const testEnd = (scope: string, within: <A, E, R>(self: Effect.Effect<A, E, R>) => typeof self) =>
      it.effect.each(ends)(`ends with an effect in ${scope} that $end`, ({ inner }) =>
        Effect.gen(function* () {
          const { client, requests } = answering(() => installation())
          const self = within(Credentials.use(inner, bearer("inner"))).pipe(
            Effect.ensuring(Effect.ignore(update(activated))),
            Credentials.use(bearer("outer"))
          )
          yield* Effect.flatMap(Effect.fork(withDefault(self, client)), Fiber.await)
          expect(requests.map(authorizationOf)).toEqual(["Bearer outer"])
        })
      )
    testEnd("use", identity)
    testEnd("use and retry", RetryPolicy.retry())

    it.effect("is also called with the effect first", () =>
      Effect.gen(function* () {
        const { client, requests } = answering(() => installation())
        yield* withDefault(Credentials.use(update(activated), bearer("tenant")), client)
        expect(requests.map(authorizationOf)).toEqual(["Bearer tenant"])
      })
    )

    it.effect("keeps customers apart that are served at the same time", () =>
      Effect.gen(function* () {
        const { client, requests } = answering(() => installation())
        const tenants = Array.from({ length: 50 }, (_, index) => `tenant-${index}`)
        yield* withDefault(
          Effect.forEach(
            tenants,
            (tenant) =>
              update({ status: "ACTIVATED", metadata: { tenant } }).pipe(Credentials.use(bearer(tenant))),
            { concurrency: "unbounded" }
          ),
          client
        )
        expect(requests).toHaveLength(tenants.length)
        for (const request of requests) {
          const tenant = authorizationOf(request)?.replace("Bearer ", "")
          expect(bodyOf(request)).toBe(`{"status":"ACTIVATED","metadata":{"tenant":"${tenant}"}}`)
        }
      })
    )

    it.effect("fails as the credentials fail, and sends nothing", () =>
      Effect.gen(function* () {
        const { client, requests } = answering(() => installation())
        const error = yield* Effect.flip(
          withDefault(update(activated).pipe(Credentials.use(Effect.fail("no such tenant"))), client)
        )
        expect(error).toBe("no such tenant")
        expect(requests).toEqual([])
      })
    )

    it.effect("is required around each update of a layer that has Credentials.perCall", () =>
      Effect.gen(function* () {
        const { client, requests } = answering(() => installation())
        const perCall = { credentials: Credentials.perCall }
        const error = yield* Effect.flip(send(client, perCall))
        expect(error).toMatchObject({ _tag: "BadRequest", isRetryable: false, mayHaveBeenApplied: false })
        expect(error.message).toContain(
          "no credential: this layer expects Credentials.use around each update"
        )
        expect(requests).toEqual([])
        yield* Credentials.use(send(client, perCall), bearer("acme"))
        expect(requests.map(authorizationOf)).toEqual(["Bearer acme"])
      })
    )

    it.effect("asks for the credentials once for its region", () =>
      Effect.gen(function* () {
        const { client, requests } = answering(() => installation())
        let asked = 0
        const tenant = Effect.suspend(() => bearer(`tenant-${++asked}`))
        yield* withDefault(Effect.repeatN(update(activated), 2).pipe(Credentials.use(tenant)), client)
        expect(requests.map(authorizationOf)).toEqual(Array(3).fill("Bearer tenant-1"))
      })
    )
  })

  it("the wrapped secret itself is untouched", () => {
    const secret = Redacted.make(canary)
    Effect.runSync(Credentials.bearer(secret))
    expect(Redacted.value(secret)).toBe(canary)
  })
})
