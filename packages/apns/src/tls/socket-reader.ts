import type { Socket } from 'node:net'

/**
 * Reads what a proxy says before the socket is handed on, piece by piece, and nothing of what comes behind it.
 * Each read rejects when the socket fails or ends first; a time limit is the caller's.
 */
export class SocketReader {
  readonly #socket: Socket
  #bytes: Buffer = Buffer.alloc(0)

  constructor(socket: Socket) {
    this.#socket = socket
  }

  /** Reads exactly so many bytes. */
  async read(length: number): Promise<Buffer> {
    while (this.#bytes.length < length) await this.#more()
    return this.#take(length)
  }

  /**
   * Reads up to and with a mark.
   * @throws {RangeError} when it did not come within `maxBytes`
   */
  async readTo(mark: string, maxBytes: number): Promise<Buffer> {
    for (;;) {
      const at = this.#bytes.indexOf(mark)
      if (at >= 0 && at <= maxBytes) return this.#take(at + mark.length)
      if (this.#bytes.length > maxBytes) throw new RangeError(`no end within ${maxBytes} bytes`)
      await this.#more()
    }
  }

  /** Gives back to the socket what was read too much. */
  release(): void {
    if (this.#bytes.length > 0) this.#socket.unshift(this.#bytes)
    this.#bytes = Buffer.alloc(0)
  }

  #take(length: number): Buffer {
    const taken = this.#bytes.subarray(0, length)
    this.#bytes = this.#bytes.subarray(length)
    return taken
  }

  async #more(): Promise<void> {
    for (;;) {
      const chunk = this.#socket.read() as Buffer | null
      if (chunk !== null) {
        this.#bytes = Buffer.concat([this.#bytes, chunk])
        return
      }
      await this.#readable()
    }
  }

  #readable(): Promise<void> {
    const socket = this.#socket
    return new Promise((resolve, reject) => {
      const end = (error: Error | null): void => {
        socket.off('readable', onReadable)
        socket.off('end', onEnd)
        socket.off('close', onEnd)
        socket.off('error', end)
        if (error === null) resolve()
        else reject(error)
      }
      const onReadable = (): void => end(null)
      const onEnd = (): void => end(new Error('it closed the connection'))
      socket.once('readable', onReadable)
      socket.once('end', onEnd)
      socket.once('close', onEnd)
      socket.once('error', end)
      if (socket.destroyed) onEnd()
    })
  }
}
