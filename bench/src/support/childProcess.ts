import { type ChildProcess, fork } from "node:child_process"
import { once } from "node:events"
import { setTimeout } from "node:timers/promises"
import type * as Server from "../server.ts"
import type { Methods, Reply } from "../worker.ts"
import { type Entry, fileOf } from "./build.ts"

/** In milliseconds: much longer than anything takes that a child is told to do. */
const maxSilence = 180_000

const hasEnded = ({ exitCode, signalCode }: ChildProcess): boolean => exitCode !== null || signalCode !== null

/** A child that is told one thing after another. It ends with this process, for it then loses its channel. */
class Child {
  readonly #process: ChildProcess
  readonly #name: string

  constructor(entry: Entry, name: string, options: ReadonlyArray<string> = []) {
    this.#name = name
    // Without the options of this process, which are those of the loader that runs it.
    this.#process = fork(fileOf(entry), { execArgv: [...options], serialization: "advanced" })
  }

  #ended(): Error {
    return new Error(
      `${this.#name} ended: ${this.#process.signalCode ?? `exit code ${this.#process.exitCode}`}`
    )
  }

  /** Its next message. What goes wrong in it has already been written to stderr when it ends before. */
  async next<A>(): Promise<A> {
    if (hasEnded(this.#process)) throw this.#ended()
    const controller = new AbortController()
    const { signal } = controller
    const message = once(this.#process, "message", { signal }).then(([message]) => message as A)
    const exit = once(this.#process, "exit", { signal }).then(() => {
      throw this.#ended()
    })
    const silence = setTimeout(maxSilence, undefined, { signal }).then(() => {
      throw new Error(`${this.#name} has not answered for ${maxSilence / 1000} s`)
    })
    try {
      return await Promise.race([message, exit, silence])
    } finally {
      controller.abort()
      await Promise.allSettled([message, exit, silence])
    }
  }

  async ask<A>(message: object | string): Promise<A> {
    if (hasEnded(this.#process)) throw this.#ended()
    this.#process.send(message)
    return await this.next<A>()
  }

  /** Resolves when it has gone. It has nothing to finish. */
  async stop(): Promise<void> {
    if (hasEnded(this.#process)) return
    const exit = once(this.#process, "exit")
    this.#process.kill("SIGKILL")
    await exit
  }
}

export class ServerProcess {
  readonly #child: Child
  readonly url: string

  private constructor(child: Child, { port }: Server.State) {
    this.#child = child
    this.url = `http://127.0.0.1:${port}`
  }

  static async start(): Promise<ServerProcess> {
    const child = new Child("server", "the server")
    return new ServerProcess(child, await child.next<Server.State>())
  }

  send(command: Server.Command): Promise<Server.State> {
    return this.#child.ask<Server.State>(command)
  }

  stop(): Promise<void> {
    return this.#child.stop()
  }
}

/** A process with one contender in it. */
export class WorkerProcess {
  readonly #child: Child
  readonly #name: string

  constructor(name: string, options?: ReadonlyArray<string>) {
    this.#name = name
    this.#child = new Child("worker", name, options)
  }

  async call<K extends keyof Methods>(
    method: K,
    ...args: Parameters<Methods[K]>
  ): Promise<Awaited<ReturnType<Methods[K]>>> {
    const reply = await this.#child.ask<Reply>({ method, args })
    if ("error" in reply) throw new Error(`${this.#name}: ${reply.error}`)
    return reply.value as Awaited<ReturnType<Methods[K]>>
  }

  stop(): Promise<void> {
    return this.#child.stop()
  }
}
