import { setImmediate } from "node:timers"

/** Calls a function in the next turn of the event loop, even in a test that fakes timers later. */
export const nextTurn: (callback: () => void) => void = setImmediate

const original = globalThis.setImmediate

/** Whether a test has faked `setImmediate`, for which undici waits before it reuses a socket. */
export const isFaked = (): boolean => globalThis.setImmediate !== original
