// The same update, by the shortest program that makes it. Each reads the server and the token from its environment.
import { fileURLToPath } from "node:url"

const entries = {
  axios: { title: "axios", file: "axios.ts" },
  "effect-pleo": { title: "effect-pleo", file: "effectPleo.ts" },
  "effect-pleo-config": { title: "effect-pleo, by layerConfig", file: "effectPleoConfig.ts" },
  "undici.request": { title: "undici.request, by hand", file: "undici.ts" },
  "platform-node": { title: "@effect/platform-node", file: "effectPlatform.ts" }
} as const

export type Application = keyof typeof entries

/** What the others are compared with comes first. */
export const applications = Object.keys(entries) as ReadonlyArray<Application>

/** The module that an application tells of its answer. */
export const answeredFile = fileURLToPath(new URL("answered.ts", import.meta.url))

export const titleOf = (application: Application): string => entries[application].title

export const fileOf = (application: Application): string =>
  fileURLToPath(new URL(entries[application].file, import.meta.url))
