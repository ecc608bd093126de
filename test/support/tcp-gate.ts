import type { AddressInfo } from 'node:net'
import { connect, createServer, type Socket } from 'node:net'

/** A TCP relay that can be shut: the connections stay open, and nothing more comes through, as with a dead peer. */
export class TcpGate {
  readonly port: number
  readonly #close: () => void
  readonly #sockets: Set<Socket>
  #isShut = false
  #targetPort: number

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
          if (!gate.#isShut) to.write(bytes)
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

  open(): void {
    this.#isShut = false
  }

  close(): void {
    this.#close()
    for (const socket of this.#sockets) socket.destroy()
  }
}
