import { layer } from "@effect/vitest"
import type { TokenStore } from "@effect-pleo/core"
import { TokenStoreConformance } from "@effect-pleo/testing"
import * as OwnStore from "./own-store.ts"

const strings = new Map<string, TokenStore.StoredString>()

const database: OwnStore.Database = {
  get: async (key) => strings.get(key),
  compareAndSet: async (key, next) => {
    if ((strings.get(key)?.generation ?? 0) !== next.generation - 1)
      return false
    strings.set(key, next)
    return true
  },
  scan: async (prefix) => ({
    entries: Array.from(strings, ([key, { value }]) => ({
      key,
      value
    })).filter(({ key }) => key.startsWith(prefix)),
    cursor: undefined
  })
}

layer(OwnStore.layer(database), { excludeTestServices: true })(
  "OwnStore",
  (it) => {
    for (const { check, title } of TokenStoreConformance.laws)
      it.effect(title, () => check)
  }
)
