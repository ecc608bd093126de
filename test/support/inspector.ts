import type { ApnsdCommand } from './apnsd-command.ts'

/** What Node keeps in memory, in bytes, after a full collection of garbage. */
export interface Memory {
  readonly rss: number
  readonly heapUsed: number
  /** Buffers and what else lies outside of the heap and belongs to it. */
  readonly external: number
}

interface Reply {
  readonly id: number
  readonly result?: unknown
  readonly error?: { readonly message: string }
}

/** To be given to the Node that is to be looked into. */
export const INSPECT = '--inspect=127.0.0.1:0'

/** Looks into another Node process over the Chrome DevTools Protocol, as its debugger would, without stopping it. */
export class Inspector {
  readonly #socket: WebSocket
  readonly #replies = new Map<number, PromiseWithResolvers<unknown>>()
  #calls = 0

  private constructor(socket: WebSocket) {
    this.#socket = socket
    socket.addEventListener('message', ({ data }) => this.#take(JSON.parse(String(data)) as Reply))
    socket.addEventListener('close', () => {
      for (const { reject } of this.#replies.values()) reject(new Error('the process has gone'))
    })
  }

  /** Connects to a command that was started with {@link INSPECT} and is ready. */
  static async connect(command: ApnsdCommand): Promise<Inspector> {
    const [, url] = /Debugger listening on (ws:\S+)/.exec(command.stderr) ?? []
    if (url === undefined) throw new Error(`it does not listen to a debugger: ${command.stderr}`)
    const socket = new WebSocket(url)
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    socket.addEventListener('open', () => resolve())
    socket.addEventListener('error', () => reject(new Error(`no debugger answers at ${url}`)))
    await promise
    return new Inspector(socket)
  }

  /** Collects garbage, then measures. */
  async memory(): Promise<Memory> {
    await this.#call('HeapProfiler.collectGarbage')
    const expression = 'process.memoryUsage()'
    const reply = await this.#call('Runtime.evaluate', { expression, returnByValue: true })
    return (reply as { result: { value: Memory } }).result.value
  }

  close(): void {
    this.#socket.close()
  }

  #call(method: string, params: object = {}): Promise<unknown> {
    this.#calls += 1
    const reply = Promise.withResolvers<unknown>()
    this.#replies.set(this.#calls, reply)
    this.#socket.send(JSON.stringify({ id: this.#calls, method, params }))
    return reply.promise
  }

  #take({ id, result, error }: Reply): void {
    const reply = this.#replies.get(id)
    this.#replies.delete(id)
    if (error === undefined) reply?.resolve(result)
    else reply?.reject(new Error(error.message))
  }
}
