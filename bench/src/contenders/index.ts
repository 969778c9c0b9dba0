// Who takes part. Each is loaded in its own process only, so that nobody pays for another.
import type { Contender } from "../support/contender.ts"

interface Entry {
  readonly title: string
  readonly load: () => Promise<Contender>
}

export const contenders = {
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
  "effect-pleo-fetch": {
    title: "effect-pleo over fetch",
    load: async () => (await import("./effectPleo.ts")).fetched
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

export type Name = keyof typeof contenders

/** What the others are compared with. */
export const reference: Name = "undici.request"

export const names = Object.keys(contenders) as ReadonlyArray<Name>

export const titleOf = (name: Name): string => contenders[name].title
