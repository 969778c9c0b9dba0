interface Options {
  readonly cause?: unknown
  readonly code?: string | undefined
  readonly proxyStatus?: number | undefined
}

/** No connection: the request was not sent. */
export class ConnectionError extends Error {
  override readonly name = "ConnectionError"
  // As in errors of Node.js. `InstallationClient` reads it from the cause of a `RequestError`.
  readonly syscall = "connect"
  declare readonly code?: string
  /** The status with which a proxy refused a tunnel. */
  declare readonly proxyStatus?: number

  constructor(message: string, { cause, code, proxyStatus }: Options) {
    super(message, cause === undefined ? {} : { cause })
    if (code !== undefined) this.code = code
    if (proxyStatus !== undefined) this.proxyStatus = proxyStatus
  }

  /** Wraps an error that is not a `ConnectionError`, with its code. */
  static from(cause: Error & { readonly code?: unknown }): ConnectionError {
    if (cause instanceof ConnectionError) return cause
    const code = typeof cause.code === "string" ? cause.code : undefined
    return new ConnectionError("the request was not sent", { cause, code })
  }
}
