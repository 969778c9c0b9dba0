// Test files share a process, and `layer` of @effect/vitest changes `it` for all that follows: each begins anew.
import { it, makeMethods } from "@effect/vitest"

makeMethods(it)
