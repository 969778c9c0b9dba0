import { inspect } from "node:util"
import * as Cause from "effect/Cause"
import * as Exit from "effect/Exit"
import * as FiberId from "effect/FiberId"
import * as FiberRefs from "effect/FiberRefs"
import * as HashMap from "effect/HashMap"
import * as Inspectable from "effect/Inspectable"
import * as List from "effect/List"
import * as Logger from "effect/Logger"
import * as LogLevel from "effect/LogLevel"

const logged = (logger: Logger.Logger<unknown, unknown>, value: unknown): string => {
  const line = logger.log({
    annotations: HashMap.empty(),
    cause: Cause.fail(value),
    context: FiberRefs.empty(),
    date: new Date(0),
    fiberId: FiberId.none,
    logLevel: LogLevel.Error,
    message: ["message", value],
    spans: List.empty()
  })
  return typeof line === "string" ? line : inspect(line, { depth: null })
}

const printers: Readonly<Record<string, (value: unknown) => string>> = {
  "JSON.stringify": (value) => JSON.stringify(value),
  "util.inspect": (value) =>
    inspect(value, {
      depth: Number.POSITIVE_INFINITY,
      maxArrayLength: null,
      maxStringLength: null,
      showHidden: true
    }),
  "util.inspect, getters run": (value) => inspect(value, { depth: null, getters: true }),
  "util.inspect, not customised": (value) =>
    inspect(value, { depth: null, showHidden: true, customInspect: false }),
  String: (value) => String(value),
  "Inspectable.format": (value) => Inspectable.format(value),
  "Cause.pretty": (value) =>
    Cause.pretty(Exit.isExit(value) && Exit.isFailure(value) ? value.cause : Cause.fail(value), {
      renderErrorCause: true
    }),
  stringLogger: (value) => logged(Logger.stringLogger, value),
  logfmtLogger: (value) => logged(Logger.logfmtLogger, value),
  jsonLogger: (value) => logged(Logger.jsonLogger, value),
  structuredLogger: (value) => logged(Logger.structuredLogger, value)
}

/** Every way of printing a value that is looked at. */
export const probes: ReadonlyArray<string> = Object.keys(printers)

/** Those ways of printing a value that show one of the secrets. */
export const leaks = (value: unknown, ...secrets: ReadonlyArray<string>): ReadonlyArray<string> =>
  probes.filter((name) => {
    const text = printers[name]?.(value) ?? ""
    return secrets.some((secret) => text.includes(secret))
  })

/** An error without any defence, in which every probe finds the secret. */
export class Leaky extends Error {
  readonly secret: string
  constructor(secret: string) {
    super(`Authorization: ${secret}`)
    this.secret = secret
  }
  toJSON() {
    return { secret: this.secret }
  }
}
