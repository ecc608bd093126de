import type { AddressInfo, Socket } from 'node:net'
import { createServer, type Server, type TLSSocket } from 'node:tls'
import type { Authority } from './authority.ts'
import { BoundedList } from './bounded-list.ts'
import { type CertificateIdentity, readClientCertificate } from './client-certificate.ts'
import { Connection, type ConnectionView } from './connection.ts'
import { Exchange, type ExchangeWorld } from './exchange.ts'
import { playFault } from './faults.ts'
import { readPush } from './push-reader.ts'
import type { ScriptPlayer } from './script-player.ts'

/** Sockets open at once; far above what a test needs, far below what a process has. */
const MAX_CONNECTIONS = 4096
/** Closed connections still shown. */
const MAX_CLOSED_VIEWS = 1000
/** Before a request with a good provider token, and for ever behind a bad certificate. */
const UNAUTHENTICATED_STREAM_LIMIT = 1

/** Says where the push server listens and what it belongs to. */
export interface PushServerOptions {
  /** Port 0 picks a free one. */
  listen: { host: string; port: number }
  authority: Authority
  script: ScriptPlayer
  world: ExchangeWorld
}

/** Takes pushes over HTTP/2 and TLS, as api.push.apple.com does. */
export class PushServer {
  readonly #server: Server
  readonly #options: PushServerOptions
  readonly #sockets = new Set<Socket>()
  readonly #connections = new Map<number, Connection>()
  readonly #closedViews = new BoundedList<ConnectionView>(MAX_CLOSED_VIEWS)
  #lastConnectionId = 0

  private constructor(options: PushServerOptions) {
    this.#options = options
    const { certificatePem, privateKeyPem } = options.authority.issueServerCertificate(
      options.listen.host,
    )
    this.#server = createServer({
      cert: certificatePem,
      key: privateKeyPem,
      minVersion: 'TLSv1.2',
      ALPNProtocols: ['h2'],
      requestCert: true,
      // A client certificate that is no good is answered in HTTP, as Apple does; see readClientCertificate.
      rejectUnauthorized: false,
    })
    this.#server.maxConnections = MAX_CONNECTIONS
    this.#server.on('connection', (socket) => this.#track(socket))
    this.#server.on('secureConnection', (socket) => this.#open(socket))
    this.#server.on('tlsClientError', ignore)
  }

  /** Starts a server and waits until it listens. Rejects when the address cannot be had. */
  static async listen(options: PushServerOptions): Promise<PushServer> {
    const push = new PushServer(options)
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    push.#server.once('error', reject)
    push.#server.listen(options.listen, resolve)
    await promise
    push.#server.off('error', reject)
    push.#server.on('error', ignore)
    return push
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port
  }

  /** Shows the connections: the last closed ones, then those still there, each in the order of opening. */
  connections(): ConnectionView[] {
    const open = [...this.#connections.values()].map((connection) => connection.view())
    return [...this.#closedViews.toArray(), ...open]
  }

  /** Destroys all connections and stops listening. */
  async close(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#server.close(() => resolve())
    for (const connection of this.#connections.values()) connection.destroy()
    for (const socket of this.#sockets) socket.destroy()
    await promise
  }

  /** Sockets in the TLS handshake are no connections yet, but have to be destroyed too. */
  #track(socket: Socket): void {
    this.#sockets.add(socket)
    socket.on('error', ignore)
    socket.on('close', () => this.#sockets.delete(socket))
  }

  #open(socket: TLSSocket): void {
    socket.on('error', ignore)
    if (socket.destroyed) return
    this.#lastConnectionId += 1
    const id = this.#lastConnectionId
    const certificate = this.#readCertificate(socket)
    const connection: Connection = new Connection(socket, {
      id,
      certificate,
      streamLimit: this.#firstStreamLimit(certificate),
      now: () => this.#options.world.now(),
      onStream: (stream, rawHeaders) => {
        const { world } = this.#options
        readPush(stream, rawHeaders, (push) =>
          this.#take(new Exchange(connection, stream, push, world)),
        )
      },
      onClose: () => {
        this.#connections.delete(id)
        this.#closedViews.push(connection.view())
      },
    })
    this.#connections.set(id, connection)
  }

  #take(exchange: Exchange): void {
    if (!exchange.isOpen) return
    const { script, world } = this.#options
    const fault = script.next(exchange.push.deviceToken, exchange.topic)
    if (fault === null) exchange.answer()
    else playFault(fault, exchange, world.now())
  }

  #readCertificate(socket: TLSSocket): CertificateIdentity | null {
    const certificate = socket.getPeerX509Certificate()
    return certificate === undefined
      ? null
      : readClientCertificate(certificate, this.#options.authority)
  }

  #firstStreamLimit(certificate: CertificateIdentity | null): number {
    const { streamLimit } = this.#options.world
    return certificate?.trusted === true ? streamLimit : UNAUTHENTICATED_STREAM_LIMIT
  }
}

function ignore(): void {}
