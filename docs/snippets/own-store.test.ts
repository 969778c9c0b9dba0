import { layer } from "@effect/vitest"
import type { TextTokenStore } from "@effect-pleo/core"
import { TokenStoreConformance } from "@effect-pleo/testing"
import * as OwnStore from "./own-store.ts"

const texts = new Map<string, TextTokenStore.Text>()

const database: OwnStore.Database = {
  get: async (key) => texts.get(key),
  compareAndSet: async (key, next) => {
    if ((texts.get(key)?.generation ?? 0) !== next.generation - 1) return false
    texts.set(key, next)
    return true
  }
}

layer(OwnStore.layer(database), { excludeTestServices: true })("OwnStore", (it) => {
  for (const { check, title } of TokenStoreConformance.laws) it.effect(title, () => check)
})
