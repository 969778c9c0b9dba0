// Every way in which a failure shows itself, to see whether it shows a secret.
import { inspect } from "node:util"
import * as Cause from "effect/Cause"
import * as Exit from "effect/Exit"

const inspectAll = (value: unknown, customInspect: boolean) =>
  inspect(value, {
    customInspect,
    depth: Number.POSITIVE_INFINITY,
    getters: true,
    maxArrayLength: null,
    maxStringLength: null,
    showHidden: true,
    showProxy: true
  })

const renderings = {
  "JSON.stringify": (failure) => JSON.stringify(failure),
  "JSON.stringify of the Cause": (failure) => JSON.stringify(Cause.fail(failure)),
  "JSON.stringify of the Exit": (failure) => JSON.stringify(Exit.fail(failure)),
  "util.inspect": (failure) => inspectAll(failure, true),
  "util.inspect without its customs": (failure) => inspectAll(failure, false),
  "util.inspect of the Cause": (failure) => inspectAll(Cause.fail(failure), true),
  String: (failure) => String(failure),
  message: (failure) => String((failure as Error).message),
  stack: (failure) => String((failure as Error).stack),
  "Cause.pretty": (failure) => Cause.pretty(Cause.fail(failure), { renderErrorCause: true })
} satisfies Record<string, (failure: unknown) => string>

export type Probe = keyof typeof renderings

export const probes = Object.keys(renderings) as ReadonlyArray<Probe>

/** The probes that find one of the secrets in a failure. */
export const probesThatFind = (secrets: ReadonlyArray<string>, failure: unknown): ReadonlyArray<Probe> =>
  probes.filter((probe) => {
    const text = renderings[probe](failure)
    return secrets.some((secret) => text.includes(secret))
  })
