// What a consumer cannot reach, where the compiler reads `exports`.
// @ts-expect-error: what is internal has no types.
import type * as Internal from "@effect-pleo/core/internal/call/client"

export type Closed = typeof Internal
