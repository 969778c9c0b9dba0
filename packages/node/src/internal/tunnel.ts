// The tunnel of a proxy (RFC 9110 section 9.3.6). Replaces undici's ProxyAgent, which redials endlessly when a proxy closes
// the connection, does not report whether a proxy refused, and does not close connecting sockets when it is destroyed.
import * as Http from "node:http"
import type { Socket } from "node:net"
import type { buildConnector as BuildConnector } from "undici"
import { ConnectionError } from "./connectionError.ts"
import { type Abandon, type Dial, makeConnector, whenClosed } from "./dial.ts"
import { errors } from "./undici.ts"

interface Proxy {
  readonly address: BuildConnector.Options
  readonly headers: Readonly<Record<string, string>>
}

const toProxy = ({ host, hostname, password, port, protocol, username }: URL): Proxy => {
  const userInfo = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`
  return {
    address: { host, hostname: hostname.replace(/^\[|\]$/g, ""), port, protocol },
    headers: {
      "proxy-connection": "keep-alive",
      ...(userInfo === ":"
        ? {}
        : { "proxy-authorization": `Basic ${Buffer.from(userInfo).toString("base64")}` })
    }
  }
}

/** The longest delay of a timer, in milliseconds. A longer one would fire immediately. */
const maxDelay = 2 ** 31 - 1

/** One attempt: dialing the proxy, CONNECT, and TLS with the target. It ends once. */
class Tunnel {
  readonly #target: BuildConnector.Options
  readonly #headers: Proxy["headers"]
  readonly #onEnd: BuildConnector.Callback
  readonly #timer: NodeJS.Timeout
  readonly #socket: Socket
  #secureSocket: Socket | undefined
  #isEnded = false

  constructor(
    { address, headers }: Proxy,
    timeout: number,
    target: BuildConnector.Options,
    onEnd: BuildConnector.Callback
  ) {
    this.#target = target
    this.#headers = headers
    this.#onEnd = onEnd
    this.#timer = setTimeout(
      () => this.#end(new errors.ConnectTimeoutError(`no tunnel within ${timeout} ms`), null),
      Math.min(timeout, maxDelay)
    )
    this.#socket = makeConnector(0)(address, (cause, socket) => {
      // With a code, a rejected certificate of the proxy would make undici redial.
      if (cause) this.#end(new ConnectionError("the proxy could not be reached", { cause }), null)
      else this.#requestTunnel(socket)
    })
  }

  /** Ends the attempt, without a call of `onEnd`. */
  abandon(onClosed: () => void): void {
    this.#stop()
    whenClosed(this.#socket, onClosed)
    this.#destroy()
  }

  #requestTunnel(socket: Socket): void {
    const { host = "", port, protocol } = this.#target
    const authority = port ? host : `${host}:${protocol === "https:" ? 443 : 80}`
    const request = Http.request({
      createConnection: () => socket,
      method: "CONNECT",
      path: authority,
      headers: { host: authority, ...this.#headers }
    })
    request.once("connect", ({ statusCode = 0 }, _, head) => {
      if (statusCode >= 200 && statusCode < 300) this.#enter(head)
      else
        this.#end(
          new ConnectionError(`the proxy refused the tunnel with status ${statusCode}`, {
            code: "ERR_PROXY_TUNNEL",
            proxyStatus: statusCode
          }),
          null
        )
    })
    // No cause, since a parser's error contains the bytes of the proxy.
    request.on("error", ({ code }: NodeJS.ErrnoException) =>
      this.#end(new ConnectionError("the proxy opened no tunnel", { code }), null)
    )
    request.end()
  }

  /** `head` has the first bytes of the tunnel. */
  #enter(head: Buffer): void {
    const socket = this.#socket
    if (this.#target.protocol !== "https:") {
      this.#end(null, socket)
      // Only after undici has written its request: earlier, it would close the socket and redial.
      if (head.length > 0) socket.unshift(head)
      return
    }
    if (head.length > 0) socket.unshift(head)
    this.#secureSocket = makeConnector(0)({ ...this.#target, httpSocket: socket }, (...result) =>
      this.#end(...result)
    )
  }

  #end(...result: BuildConnector.CallbackArgs): void {
    if (this.#isEnded) return
    this.#stop()
    if (result[0] === null) {
      this.#onEnd(...result)
    } else {
      whenClosed(this.#socket, () => this.#onEnd(...result))
      this.#destroy()
    }
  }

  #stop(): void {
    this.#isEnded = true
    clearTimeout(this.#timer)
  }

  #destroy(): void {
    this.#secureSocket?.destroy()
    this.#socket.destroy()
  }
}

/** Dials through a proxy's tunnel. The timeout, in milliseconds, limits all steps together. */
export const makeThrough = (proxy: URL, timeout: number): Dial => {
  const to = toProxy(proxy)
  return (target, onEnd) => {
    const tunnel = new Tunnel(to, timeout, target, onEnd)
    const abandon: Abandon = (onClosed) => tunnel.abandon(onClosed)
    return abandon
  }
}
