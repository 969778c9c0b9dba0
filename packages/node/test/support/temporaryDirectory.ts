import { existsSync, mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"

const directoryIn = (parent: string): Effect.Effect<string, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.sync(() => mkdtempSync(join(parent, "effect-pleo-"))),
    (directory) => Effect.sync(() => rmSync(directory, { recursive: true, force: true }))
  )

/** A new directory, until the scope closes. */
export const temporaryDirectory = directoryIn(tmpdir())

/** In memory, where the system has that: SQLite waits for the disk at each commit. */
export const databaseDirectory = directoryIn(existsSync("/dev/shm") ? "/dev/shm" : tmpdir())
