import { isIP, type Socket } from 'node:net'
import {
  type ConnectionOptions,
  connect,
  createSecureContext,
  getCACertificates,
  type SecureContext,
  type TLSSocket,
} from 'node:tls'
import { ConnectError } from '../errors.ts'
import { untilAborted } from './until-aborted.ts'

export interface TlsContextOptions {
  /** Certificate authorities to trust besides those that Node trusts, PEM. */
  readonly extraCa?: readonly string[] | undefined
  /** What to show the peer; null: no certificate. */
  readonly certificate?: {
    readonly certificatePem: string
    readonly privateKeyPem: string
  } | null
  /** Called with each line of an NSS key log, by which Wireshark can read the traffic; only when a person asks for it. */
  readonly onKeylog?: ((line: Buffer) => void) | undefined
}

/** Where a connection leads. */
export interface Target {
  /** A name, or an address without brackets. */
  readonly host: string
  readonly port: number
}

/** A client talks to one host, perhaps through a proxy: more sessions than this would be somebody's mistake. */
const MAX_SESSIONS = 16

/**
 * What all connections with one credential share: whom to trust, our certificate, and TLS sessions to resume, which spare
 * the second connection to a host the signatures of the first. Made once: reading 150 authorities takes milliseconds.
 */
export class TlsContext {
  readonly #secureContext: SecureContext
  readonly #onKeylog: ((line: Buffer) => void) | undefined
  /** By host and port: the latest session of a peer that was verified. */
  readonly #sessions = new Map<string, Buffer>()

  constructor({ extraCa, certificate, onKeylog }: TlsContextOptions) {
    this.#onKeylog = onKeylog
    this.#secureContext = createSecureContext({
      minVersion: 'TLSv1.2',
      // Node's own, NODE_EXTRA_CA_CERTS and the system's where it was told so: what it trusts without us
      ...(extraCa === undefined ? {} : { ca: [...getCACertificates('default'), ...extraCa] }),
      ...(certificate === null || certificate === undefined
        ? {}
        : { cert: certificate.certificatePem, key: certificate.privateKeyPem }),
    })
  }

  /**
   * Does the handshake on a connected socket: TLS 1.2 or newer, the peer's certificate verified against its name, ALPN as
   * asked for.
   * @param protocol what the peer must choose by ALPN
   * @throws {Error} Node's own for what went wrong in the handshake, its `code` kept
   * @throws {ConnectError} the peer chose another protocol
   */
  async secure(
    socket: Socket,
    target: Target,
    protocol: 'h2' | 'http/1.1',
    signal: AbortSignal,
  ): Promise<TLSSocket> {
    const key = `${target.host}:${target.port}`
    const session = this.#sessions.get(key)
    const secured = connect({
      socket,
      secureContext: this.#secureContext,
      ALPNProtocols: [protocol],
      host: target.host,
      // an address is no server name [RFC 6066 §3]
      ...(isIP(target.host) === 0 ? { servername: target.host } : {}),
      ...(session === undefined ? {} : { session }),
    } satisfies ConnectionOptions)
    this.#keepSessions(secured, key)
    if (this.#onKeylog !== undefined) secured.on('keylog', this.#onKeylog)
    try {
      await untilAborted(secured, 'secureConnect', signal)
    } catch (error) {
      this.#sessions.delete(key) // it may be the session that the peer does not like
      throw error
    }
    // one that the peer has forgotten; it hands out another
    if (session !== undefined && !secured.isSessionReused()) this.#forget(key, session)
    if (secured.alpnProtocol === protocol || protocol === 'http/1.1') return secured
    secured.destroy()
    throw new ConnectError(
      `${target.host} does not speak HTTP/2: it chose ${secured.alpnProtocol || 'no protocol'} by ALPN. Is something in between?`,
    )
  }

  /**
   * Keeps the sessions that a peer hands out, once it is verified. One serves for many connections: whoever watches could
   * tell that they are of one client, which Apple's watchers know anyway. [RFC 8446 §C.4]
   */
  #keepSessions(secured: TLSSocket, key: string): void {
    let early: Buffer | undefined
    let isVerified = false
    secured.on('session', (session) => {
      if (isVerified) this.#keep(key, session)
      else early = session
    })
    secured.once('secureConnect', () => {
      isVerified = true
      if (early !== undefined) this.#keep(key, early)
    })
  }

  #forget(key: string, session: Buffer): void {
    if (this.#sessions.get(key) === session) this.#sessions.delete(key)
  }

  #keep(key: string, session: Buffer): void {
    this.#sessions.delete(key)
    this.#sessions.set(key, session)
    if (this.#sessions.size <= MAX_SESSIONS) return
    const [oldest] = this.#sessions.keys()
    if (oldest !== undefined) this.#sessions.delete(oldest)
  }
}
