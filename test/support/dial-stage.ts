import { once } from 'node:events'
import { type AddressInfo, connect, type Server, type Socket } from 'node:net'
import {
  createServer as createTlsServer,
  type TlsOptions,
  type Server as TlsServer,
} from 'node:tls'
import { Worker } from 'node:worker_threads'
import type { Lookup } from '@apnsd/apns'
import { Simulator } from '@apnsd/simulator'
import { type DialledSocket, type DialOptions, dial } from '../../packages/apns/src/tls/dial.ts'
import { TlsContext } from '../../packages/apns/src/tls/tls-context.ts'

export const HOST = 'push.example.com'
export const never: AbortSignal = new AbortController().signal

/** Gives these addresses for every name. */
export const to =
  (...addresses: string[]): Lookup =>
  () =>
    Promise.resolve(
      addresses.map((address) => ({ address, family: address.includes(':') ? 6 : 4 })),
    )

/** Servers with certificates of one authority, and dials that trust it. */
export class DialStage {
  readonly simulator: Simulator
  readonly context: TlsContext
  readonly #servers = new Set<Server>()
  readonly #sockets = new Set<Socket>()
  readonly #holes: BlackHole[] = []

  private constructor(simulator: Simulator) {
    this.simulator = simulator
    this.context = this.createContext()
  }

  static async open(): Promise<DialStage> {
    return new DialStage(await Simulator.start())
  }

  createContext(
    options: Omit<ConstructorParameters<typeof TlsContext>[0], 'extraCa'> = {},
  ): TlsContext {
    return new TlsContext({ extraCa: [this.simulator.authority.certificatePem], ...options })
  }

  async listen(server: Server, address = '127.0.0.1', port = 0): Promise<number> {
    this.#servers.add(server)
    server.on('connection', (socket) => this.keep(socket))
    server.listen(port, address)
    await once(server, 'listening')
    return (server.address() as AddressInfo).port
  }

  /** Destroys a socket at the end of the test, and bears its errors. */
  keep<Kind extends Socket>(socket: Kind): Kind {
    this.#sockets.add(socket.on('error', () => undefined))
    return socket
  }

  createServerFor(host: string, options: TlsOptions = {}): TlsServer {
    const { certificatePem, privateKeyPem } = this.simulator.authority.issueServerCertificate(host)
    const server = createTlsServer({
      cert: certificatePem,
      key: privateKeyPem,
      ALPNProtocols: ['h2'],
      ...options,
    })
    server.on('tlsClientError', () => undefined)
    server.on('secureConnection', (socket) => socket.on('error', () => undefined))
    return server
  }

  async dial(port: number, options: Partial<DialOptions> = {}): Promise<DialledSocket> {
    const url = new URL(`https://${HOST}:${port}`)
    const { context } = this
    const dialled = await dial({ url, context, proxy: null, signal: never, ...options })
    this.keep(dialled.socket)
    return dialled
  }

  /** Listens, and takes no connection until told to. */
  async dig(address: string, port: number): Promise<BlackHole> {
    const { certificatePem, privateKeyPem } = this.simulator.authority.issueServerCertificate(HOST)
    const hole = await BlackHole.open(address, port, { cert: certificatePem, key: privateKeyPem })
    this.#holes.push(hole)
    return hole
  }

  /** Resolves when the other end of all that was dialled has closed: nothing was left behind. */
  async untilAllClosed(): Promise<void> {
    const open = [...this.#sockets].filter((socket) => !socket.closed)
    await Promise.all(open.map((socket) => once(socket, 'close')))
  }

  async reset(): Promise<void> {
    for (const server of this.#servers) server.close()
    for (const socket of this.#sockets) socket.destroy()
    this.#servers.clear()
    this.#sockets.clear()
    await Promise.all(this.#holes.splice(0).map((hole) => hole.close()))
  }

  async close(): Promise<void> {
    await this.reset()
    await this.simulator.close()
  }
}

const HOLE_PROGRAM = `
const { createServer } = require('node:tls')
const { parentPort, workerData } = require('node:worker_threads')
const { address, port, gate, cert, key } = workerData
const server = createServer({ cert, key, ALPNProtocols: ['h2'] }, (socket) => socket.on('error', () => {}))
server.on('tlsClientError', () => {})
server.listen({ port, host: address, backlog: 1 }, () => {
  parentPort.postMessage('listening')
  setImmediate(() => Atomics.wait(gate, 0, 0))
})`

/**
 * A server that does not take its connections: the kernel's queue is full, and drops what comes. So does an address behind
 * a dead router, or a firewall. Once opened it takes them, those that were still trying as well.
 */
export class BlackHole {
  readonly #worker: Worker
  readonly #gate: Int32Array
  readonly #fillers: Socket[] = []

  private constructor(worker: Worker, gate: Int32Array) {
    this.#worker = worker
    this.#gate = gate
  }

  static async open(
    address: string,
    port: number,
    certificate: { cert: string; key: string },
  ): Promise<BlackHole> {
    const gate = new Int32Array(new SharedArrayBuffer(4))
    const workerData = { address, port, gate, ...certificate }
    const worker = new Worker(HOLE_PROGRAM, { eval: true, workerData })
    const hole = new BlackHole(worker, gate)
    await once(worker, 'message')
    await hole.#fill(address, port)
    return hole
  }

  /** The queue is full when a connection is not taken at once: on one machine that is a matter of no time. */
  async #fill(address: string, port: number): Promise<void> {
    for (let n = 0; n < 4; n += 1) {
      const filler = connect(port, address)
      this.#fillers.push(filler.on('error', () => undefined))
    }
    const [first] = this.#fillers
    if (first !== undefined) await once(first, 'connect')
  }

  takeConnections(): void {
    Atomics.store(this.#gate, 0, 1)
    Atomics.notify(this.#gate, 0)
  }

  async close(): Promise<void> {
    for (const filler of this.#fillers) filler.destroy()
    await this.#worker.terminate()
  }
}
