import { readFileSync } from "node:fs"
import Tls from "node:tls"
import { vi } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"

const read = (name: string) => readFileSync(new URL(`${name}.pem`, import.meta.url), "utf8")

const key = read("selfSigned.key")

/** The options of a server for one of the certificates next to this file. They are for localhost and 127.0.0.1. */
export const certificate = (name: "selfSigned" | "expired" | "trusted") => ({
  key,
  cert: read(`${name}.cert`)
})

/** Makes this process trust the authority of the certificates until the scope is closed. */
export const trustAuthority: Effect.Effect<void, never, Scope.Scope> = Effect.acquireRelease(
  Effect.sync(() => {
    const { connect } = Tls
    const ca = read("authority.cert")
    return vi
      .spyOn(Tls, "connect")
      .mockImplementation(((options: Tls.ConnectionOptions) => connect({ ...options, ca })) as never)
  }),
  (spy) => Effect.sync(() => spy.mockRestore())
).pipe(Effect.asVoid)
