import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { BenchError } from '../common/errors.ts'

/** What the daemon answered to one request. */
export interface HttpAnswer {
  readonly status: number
  readonly body: string
}

const HEAD_END = '\r\n\r\n'

/** Writes a whole request ahead of time, so that sending it costs the benchmark next to nothing. */
export function formatRequest(method: string, path: string, type: string, body: string): Buffer {
  const bytes = Buffer.from(body)
  const head = [
    `${method} ${path} HTTP/1.1`,
    'Host: localhost',
    `Content-Type: ${type}`,
    `Content-Length: ${bytes.length}`,
  ]
  return Buffer.concat([Buffer.from(head.join('\r\n') + HEAD_END), bytes])
}

/** Reads answers, cut anywhere, that say their length. */
export class AnswerReader {
  #received: Buffer = Buffer.alloc(0)

  /**
   * @returns the answer that `bytes` complete; null: some of it is missing
   * @throws {BenchError} it does not say how long it is
   */
  read(bytes: Buffer): HttpAnswer | null {
    this.#received = this.#received.length === 0 ? bytes : Buffer.concat([this.#received, bytes])
    const headEnd = this.#received.indexOf(HEAD_END)
    if (headEnd === -1) return null
    const head = this.#received.toString('latin1', 0, headEnd)
    const length = /^content-length: (\d+)$/im.exec(head)?.[1]
    if (length === undefined) throw new BenchError('an answer does not say how long it is')
    const start = headEnd + HEAD_END.length
    const end = start + Number(length)
    if (this.#received.length < end) return null
    const body = this.#received.toString('utf8', start, end)
    this.#received = this.#received.subarray(end)
    return { status: Number(head.split(' ')[1]), body }
  }
}

/**
 * A keep-alive connection to the daemon that carries one request at a time. It costs a third of what node:http's client
 * does, and so leaves the two cores to what is measured.
 */
export class HttpConnection {
  readonly #socket: Socket
  readonly #reader = new AnswerReader()
  #waiting: PromiseWithResolvers<HttpAnswer> | null = null

  private constructor(socket: Socket) {
    this.#socket = socket
    socket.setNoDelay(true)
    socket.on('data', (bytes) => this.#take(bytes))
    socket.on('error', (error) => this.#fail(error.message))
    socket.on('close', () => this.#fail('it was closed'))
  }

  static async open(url: string): Promise<HttpConnection> {
    const { hostname, port } = new URL(url)
    const socket = connect(Number(port), hostname)
    await once(socket, 'connect')
    return new HttpConnection(socket)
  }

  get isIdle(): boolean {
    return this.#waiting === null && !this.#socket.destroyed
  }

  /**
   * Sends a request and resolves with its answer.
   * @throws {BenchError} the connection ended before
   */
  exchange(request: Buffer): Promise<HttpAnswer> {
    const waiting = Promise.withResolvers<HttpAnswer>()
    this.#waiting = waiting
    this.#socket.write(request)
    return waiting.promise
  }

  close(): void {
    this.#socket.destroy()
  }

  #take(bytes: Buffer): void {
    try {
      const answer = this.#reader.read(bytes)
      if (answer !== null) this.#answer(answer)
    } catch (error) {
      this.#fail(error instanceof Error ? error.message : 'unknown')
    }
  }

  #answer(answer: HttpAnswer): void {
    const waiting = this.#waiting
    this.#waiting = null
    waiting?.resolve(answer)
  }

  #fail(why: string): void {
    this.#waiting?.reject(new BenchError(`a connection to the daemon failed: ${why}`))
    this.#waiting = null
    this.#socket.destroy()
  }
}
