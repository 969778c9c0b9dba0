// Who takes part. Each is loaded in its own process only, so that nobody pays for another.
import type { Contender } from "../support/contender.ts"

interface Entry {
  readonly title: string
  readonly load: () => Promise<Contender>
}

/** As applications call them: for each update a new request, one of many installations, and a call of its own. */
const called = {
  "effect-pleo-direct": {
    title: "effect-pleo, direct",
    load: async () => (await import("./calledEffectPleo.ts")).direct
  },
  "effect-pleo-map": {
    title: "effect-pleo, map between",
    load: async () => (await import("./calledEffectPleo.ts")).mapBetween
  },
  "effect-pleo-gen": {
    title: "effect-pleo, gen inside",
    load: async () => (await import("./calledEffectPleo.ts")).genInside
  },
  "undici-zod-retry": {
    title: "undici, zod and retries, by hand",
    load: async () => (await import("./calledUndici.ts")).put
  },
  "undici-effect-retry": {
    title: "undici and Effect, by hand",
    load: async () => (await import("./calledEffect.ts")).put
  },
  "effect-pleo-direct-fetch": {
    title: "effect-pleo, direct, over fetch",
    load: async () => (await import("./calledEffectPleo.ts")).directOverFetch
  },
  "fetch-zod-retry": {
    title: "fetch, zod and retries, by hand",
    load: async () => (await import("./calledFetch.ts")).put
  }
} satisfies Record<string, Entry>

/** In a loop: each worker has one installation, and what can be made once is made once. */
const looped = {
  "effect-pleo": {
    title: "effect-pleo",
    load: async () => (await import("./effectPleo.ts")).untraced
  },
  "effect-pleo-traced": {
    title: "effect-pleo, traced",
    load: async () => (await import("./effectPleo.ts")).traced
  },
  "effect-pleo-retry": {
    title: "effect-pleo, with RetryPolicy.retry()",
    load: async () => (await import("./effectPleo.ts")).retried
  },
  "undici.request": {
    title: "undici.request, by hand",
    load: async () => (await import("./undici.ts")).request
  },
  "undici.dispatch": {
    title: "undici dispatch, by hand",
    load: async () => (await import("./undici.ts")).dispatch
  },
  "fetch-zod": {
    title: "fetch and zod, by hand",
    load: async () => (await import("./fetchZod.ts")).put
  },
  "openapi-fetch": {
    title: "openapi-fetch",
    load: async () => (await import("./openapiFetch.ts")).put
  },
  axios: {
    title: "axios",
    load: async () => (await import("./axios.ts")).put
  },
  ky: {
    title: "ky",
    load: async () => (await import("./ky.ts")).put
  },
  got: {
    title: "got",
    load: async () => (await import("./got.ts")).put
  },
  "platform-node": {
    title: "@effect/platform-node",
    load: async () => (await import("./effectPlatform.ts")).httpClient
  },
  HttpApiClient: {
    title: "HttpApiClient",
    load: async () => (await import("./effectPlatform.ts")).httpApiClient
  }
} satisfies Record<string, Entry>

const contenders = { ...called, ...looped }

export type Name = keyof typeof contenders

export const load = (name: Name): Promise<Contender> => contenders[name].load()

/** What the others are compared with. */
export const reference: Name = "undici.request"

export const calledNames = Object.keys(called) as ReadonlyArray<keyof typeof called>

export const loopedNames = Object.keys(looped) as ReadonlyArray<keyof typeof looped>

export const names: ReadonlyArray<Name> = [...calledNames, ...loopedNames]

export const titleOf = (name: Name): string => contenders[name].title
