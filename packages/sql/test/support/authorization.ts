import type { Authorization } from "@effect-pleo/core/Authorization"
import * as DateTime from "effect/DateTime"
import * as Redacted from "effect/Redacted"

export const canaries = ["canary-access-71c0", "canary-refresh-93d4"] as const

/** An authorization whose tokens are to be found nowhere else. */
export const secret: Authorization = {
  _tag: "Active",
  tokens: {
    accessToken: Redacted.make(canaries[0]),
    refreshToken: Redacted.make(canaries[1]),
    receivedAt: DateTime.unsafeMake(0)
  }
}
