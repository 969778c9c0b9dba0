// A token store in the files of a directory, for one process after another.
import { readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import * as KeyValueStore from "@effect/platform/KeyValueStore"
import * as KeyValueTokenStore from "@effect-pleo/core/KeyValueTokenStore"
import type { TokenStore } from "@effect-pleo/core/TokenStore"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"

const read = (file: string): Option.Option<string> => {
  try {
    return Option.some(readFileSync(file, "utf8"))
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return Option.none()
    throw error
  }
}

const unused = Effect.dieMessage("a token store does not ask for that")

export const layer = (directory: string): Layer.Layer<TokenStore> =>
  Layer.provide(
    KeyValueTokenStore.layer,
    Layer.succeed(
      KeyValueStore.KeyValueStore,
      KeyValueStore.makeStringOnly({
        get: (key) => Effect.sync(() => read(join(directory, key))),
        set: (key, text) => Effect.sync(() => writeFileSync(join(directory, key), text)),
        remove: () => unused,
        clear: unused,
        size: unused
      })
    )
  )
