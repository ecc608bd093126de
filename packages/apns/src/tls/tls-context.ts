import { isIP, type Socket } from 'node:net'
import { type ConnectionOptions, connect, type SecureContext, type TLSSocket } from 'node:tls'
import { ConnectError } from '../errors.ts'
import { createTrust, sharedTrust } from './authorities.ts'
import { Sessions } from './sessions.ts'
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

/**
 * What all connections with one credential share: whom to trust, our certificate, and TLS sessions to resume. Made once:
 * where there are extra authorities, all of Node's have to be read again besides.
 */
export class TlsContext {
  readonly #extraCa: readonly string[]
  readonly #secureContext: SecureContext
  readonly #onKeylog: ((line: Buffer) => void) | undefined
  readonly #sessions = new Sessions()
  readonly #proxySessions = new Sessions()

  /** @throws {AuthorityError} one of the extra authorities is no certificate */
  constructor({ extraCa = [], certificate = null, onKeylog }: TlsContextOptions) {
    this.#extraCa = extraCa
    this.#onKeylog = onKeylog
    this.#secureContext =
      certificate === null ? sharedTrust(extraCa) : createTrust(extraCa, certificate)
  }

  /**
   * Does the handshake with Apple, or what stands for it, on a connected socket: TLS 1.2 or newer, the peer's certificate
   * verified against its name, HTTP/2 agreed upon by ALPN.
   * @throws {Error} Node's own for what went wrong in the handshake, its `code` kept
   * @throws {ConnectError} the peer chose another protocol
   */
  async secure(socket: Socket, target: Target, signal: AbortSignal): Promise<TLSSocket> {
    const options = { secureContext: this.#secureContext, ALPNProtocols: ['h2'] }
    const secured = await this.#shakeHands(socket, target, options, this.#sessions, signal)
    if (secured.alpnProtocol === 'h2') return secured
    secured.destroy()
    throw new ConnectError(
      `${target.host} does not speak HTTP/2: it chose ${secured.alpnProtocol || 'no protocol'} by ALPN. Is something in between?`,
    )
  }

  /**
   * Does the handshake with a proxy that speaks TLS itself. It is not shown our certificate, which is for Apple alone.
   * @throws {Error} Node's own
   */
  secureToProxy(socket: Socket, proxy: Target, signal: AbortSignal): Promise<TLSSocket> {
    const options = { secureContext: sharedTrust(this.#extraCa), ALPNProtocols: ['http/1.1'] }
    return this.#shakeHands(socket, proxy, options, this.#proxySessions, signal)
  }

  async #shakeHands(
    socket: Socket,
    target: Target,
    options: ConnectionOptions,
    sessions: Sessions,
    signal: AbortSignal,
  ): Promise<TLSSocket> {
    const key = `${target.host}:${target.port}`
    const session = sessions.get(key)
    const secured = connect({
      ...options,
      socket,
      host: target.host,
      // an address is no server name [RFC 6066 §3]
      ...(isIP(target.host) === 0 ? { servername: target.host } : {}),
      ...(session === undefined ? {} : { session }),
    })
    // for good: after the handshake Node tells of a fault and leaves the socket as it is
    secured.on('error', () => secured.destroy())
    if (this.#onKeylog !== undefined) secured.on('keylog', this.#onKeylog)
    // told once the peer was verified, unless NODE_TLS_REJECT_UNAUTHORIZED let it pass: a handshake that resumes looks at
    // no name again
    secured.on('session', (resumable) => {
      if (secured.authorized) sessions.keep(key, resumable)
    })
    try {
      await untilAborted(secured, 'secureConnect', signal)
      if (secured.destroyed) throw secured.errored ?? new Error('the peer closed the connection')
    } catch (error) {
      // it may be the session that the peer does not like
      if (session !== undefined) sessions.drop(key, session)
      throw error
    }
    if (session !== undefined && !secured.isSessionReused()) sessions.drop(key, session)
    return secured
  }
}
