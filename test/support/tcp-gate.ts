import type { AddressInfo } from 'node:net'
import { connect, createServer, type Socket } from 'node:net'

/** A TCP relay that can be shut: the connections stay open, and nothing more comes through, as with a dead peer. */
export class TcpGate {
  readonly port: number
  readonly #close: () => void
  readonly #sockets: Set<Socket>
  #isShut = false
  #targetPort: number
  #bytesLeft = Number.POSITIVE_INFINITY

  private constructor(port: number, targetPort: number, sockets: Set<Socket>, close: () => void) {
    this.port = port
    this.#targetPort = targetPort
    this.#sockets = sockets
    this.#close = close
  }

  static async open(targetPort: number): Promise<TcpGate> {
    const sockets = new Set<Socket>()
    const server = createServer((near) => {
      const far = connect(gate.#targetPort, '127.0.0.1')
      for (const [from, to] of [
        [near, far],
        [far, near],
      ] as const) {
        sockets.add(from)
        from.on('data', (bytes) => {
          if (!gate.#isShut) to.write(gate.#cut(bytes, from === far))
        })
        from.on('error', () => undefined)
        from.on('close', () => {
          sockets.delete(from)
          to.destroy()
        })
      }
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const { port } = server.address() as AddressInfo
    const gate = new TcpGate(port, targetPort, sockets, () => server.close())
    return gate
  }

  /** Leads connections that come from now on elsewhere. */
  redirect(targetPort: number): void {
    this.#targetPort = targetPort
  }

  shut(): void {
    this.#isShut = true
  }

  /** Lets so many more bytes of the target's through, then nothing: most likely it ends in the midst of a frame. */
  shutAfter(bytes: number): void {
    this.#bytesLeft = bytes
  }

  /** Reads nothing any more of what comes in. */
  pause(): void {
    for (const socket of this.#sockets) socket.pause()
  }

  #cut(bytes: Buffer, isFromTarget: boolean): Buffer {
    if (!isFromTarget) return bytes
    const passed = bytes.subarray(0, Math.min(bytes.length, this.#bytesLeft))
    this.#bytesLeft -= passed.length
    if (this.#bytesLeft === 0) this.shut()
    return passed
  }

  open(): void {
    this.#isShut = false
    this.#bytesLeft = Number.POSITIVE_INFINITY
  }

  close(): void {
    this.#close()
    for (const socket of this.#sockets) socket.destroy()
  }
}
