import type { TLSSocket } from 'node:tls'
import { PROCESS_ADDRESS_USE } from './address-use.ts'
import type { HeldProviderToken, ProviderTokenSource } from './credentials/provider-token.ts'
import { ConnectError, CredentialRefusedError } from './errors.ts'
import { RequestStream, type StreamEnd } from './http2/request-stream.ts'
import { Http2Session } from './http2/session.ts'
import { type ApnsNotification, RequestFields } from './request.ts'
import { ANSWER_FIELDS, STATUS_ACCEPTED } from './response.ts'
import type { DialledSocket } from './tls/dial.ts'
import { alertAboutOurCertificate } from './tls/tls-fault.ts'

/**
 * A connection's life.
 *
 *                          ┌──limit above 1, an answer──▶ ready ──GOAWAY, retire()──▶ draining ──last answer──▶ closed
 *     connecting ──SETTINGS┤                              ▲ │                            │                        ▲
 *         │                └──limit 1──▶ probing ─────────┘ │                            │                        │
 *         └──refused, deadline──────────────┴───────────────┴──lost, PING unanswered, destroy()───────────────────┘
 *
 * - connecting: dialling, TLS, waiting for the peer's SETTINGS; takes no request.
 * - probing: the peer allows one request and has answered none yet; the others wait for what comes of it. So Apple does
 *   until it has seen a valid provider token. [field]
 * - ready: takes as many requests at a time as the peer's live stream limit allows.
 * - draining: takes none; those sent are still answered.
 * - closed: over; every request it took has ended.
 */
export type ConnectionState = 'connecting' | 'probing' | 'ready' | 'draining' | 'closed'

export interface ConnectionTimings {
  /** From the first packet to the peer's SETTINGS. */
  readonly connectTimeoutMs: number
  /** From a request's HEADERS to its answer. */
  readonly requestTimeoutMs: number
  /** When nothing came for so long, the peer is asked by PING whether it is there. */
  readonly pingIntervalMs: number
  /** A PING unanswered for so long means a dead peer. */
  readonly pingTimeoutMs: number
  /** How long a draining connection waits for the answers it is owed. */
  readonly drainTimeoutMs: number
}

export const DEFAULT_TIMINGS: ConnectionTimings = {
  connectTimeoutMs: 10_000,
  requestTimeoutMs: 30_000,
  pingIntervalMs: 60_000,
  pingTimeoutMs: 10_000,
  drainTimeoutMs: 35_000,
}

export interface ConnectionOptions {
  /** The URL's host, with its port where that is not 443. */
  readonly authority: string
  /** Gives up, leaving nothing behind, when the signal says so. `onStep` is told at each step what it waits for. */
  readonly dial: (
    signal: AbortSignal,
    onStep: (waitingFor: string) => void,
  ) => Promise<DialledSocket>
  /** Where provider tokens come from; null: the certificate speaks for us. */
  readonly providerTokens: ProviderTokenSource | null
  readonly timings: ConnectionTimings
}

/** What a connection tells its owner. None of them may throw. */
export interface ConnectionEvents<Stream extends RequestStream> {
  stateChanged(connection: Connection<Stream>, state: ConnectionState, cause: Error | null): void
  /** A request came to its end; each does once, also when the connection is lost. */
  ended(connection: Connection<Stream>, stream: Stream, end: StreamEnd, cause: string): void
  /** There may be room for requests where there was none. */
  roomy(connection: Connection<Stream>): void
}

/** So many requests without an answer in time, one after the other: the connection is dead, whatever PING says. */
const MAX_TIMEOUTS_IN_A_ROW = 3
/** Deadlines are looked at so many times within the shortest of them. */
const CHECKS_WITHIN_A_DEADLINE = 10
const MIN_CHECK_INTERVAL_MS = 10
/** What the limit is multiplied by to say how many answers it takes before a quarter more is tried. */
const ANSWERS_BEFORE_RAISE = 8
const GOAWAY_TEXT_CHARACTERS = 200

/** One connection to Apple. Speaks notifications and answers; whose they are is its owner's to know. */
export class Connection<Stream extends RequestStream = RequestStream> {
  readonly #events: ConnectionEvents<Stream>
  readonly #timings: ConnectionTimings
  readonly #fields: RequestFields
  readonly #providerTokens: ProviderTokenSource | null
  readonly #dialling = new AbortController()
  readonly #openedAtMs = performance.now()
  readonly #watch: NodeJS.Timeout
  #state: ConnectionState = 'connecting'
  #session: Http2Session<Stream> | null = null
  #address: string | null = null
  /** What connecting waits for now. */
  #waitingFor = 'its turn'
  #heldToken: HeldProviderToken | null
  #streamLimit = 0
  /** Our own limit, while the peer refuses what its own would allow; Infinity: it does not. */
  #ownLimit = Number.POSITIVE_INFINITY
  /** Answers since that was last changed. */
  #answersAtLimit = 0
  #wasUseful = false
  #timeoutsInARow = 0
  #lastHeardMs = performance.now()
  #pingSentAtMs: number | null = null
  #drainStartedAtMs = 0

  constructor(options: ConnectionOptions, events: ConnectionEvents<Stream>) {
    this.#events = events
    this.#timings = options.timings
    this.#fields = new RequestFields(options.authority)
    this.#providerTokens = options.providerTokens
    this.#heldToken = options.providerTokens?.adopt() ?? null
    const { connectTimeoutMs, requestTimeoutMs, pingTimeoutMs, drainTimeoutMs } = options.timings
    const shortest = Math.min(connectTimeoutMs, requestTimeoutMs, pingTimeoutMs, drainTimeoutMs)
    const intervalMs = Math.max(MIN_CHECK_INTERVAL_MS, shortest / CHECKS_WITHIN_A_DEADLINE)
    this.#watch = setInterval(() => this.#checkDeadlines(), intervalMs)
    void this.#dial(options.dial)
  }

  get state(): ConnectionState {
    return this.#state
  }

  /** Where it leads to, once dialled; null: unknown. */
  get address(): string | null {
    return this.#address
  }

  /** Whether Apple took a notification on it. One that ends before is as bad as none: the next one waits. */
  get wasUseful(): boolean {
    return this.#wasUseful
  }

  /** Requests without an answer yet. */
  get openRequests(): number {
    return this.#session?.openStreams ?? 0
  }

  /** How many requests the peer allows at a time now; 0 before its SETTINGS. */
  get streamLimit(): number {
    return Math.min(this.#streamLimit, this.#ownLimit)
  }

  /**
   * How many more requests it takes now: as many as the peer's live limit allows; none unless ready or probing, none
   * while payload waits for a window, behind which they would only wait as well, and none before all that came is read:
   * `roomy` follows.
   */
  get room(): number {
    const session = this.#session
    if (session === null || session.isReading || session.isHeld || !session.isOpen) return 0
    if (this.#state === 'ready') return Math.max(0, this.streamLimit - session.openStreams)
    return this.#state === 'probing' ? Math.max(0, 1 - session.openStreams) : 0
  }

  /** Whether it still takes as many as {@link room} said: cheap enough to be asked before each request. */
  get takesMore(): boolean {
    const isUsable = this.#state === 'ready' || this.#state === 'probing'
    return isUsable && this.#session !== null && !this.#session.isHeld
  }

  /**
   * Sends one notification, in which `findFault` finds none, where there is {@link room}; `ended` is told of `stream` once.
   * @returns false where the connection has ended meanwhile: nothing was sent then, and `ended` will not be told
   */
  send(stream: Stream, notification: ApnsNotification): boolean {
    const session = this.#session
    if (session === null) return false
    if (this.#heldToken !== null && this.#providerTokens !== null)
      this.#heldToken = this.#providerTokens.renew(this.#heldToken)
    this.#fields.set(notification, this.#heldToken === null ? null : this.#heldToken.authorization)
    stream.sentAtMs = Math.trunc(performance.now())
    const isSent = session.request(stream, this.#fields, notification.payload)
    if (session.isRetireDue) this.retire()
    return isSent
  }

  /** Apple called the provider token stale. @returns whether the next connection gets a fresh one */
  discardProviderToken(): boolean {
    return this.#providerTokens?.discard() ?? false
  }

  /** Takes no further request; closes when the last answer is in, or its time is up. */
  retire(): void {
    if (this.#state === 'connecting') this.destroy('it was given up while connecting')
    else if (this.#state !== 'closed') this.#become('draining', null)
  }

  /** Ends it now. What is in flight is in doubt. */
  destroy(why: string): void {
    if (this.#state === 'closed') return
    const cause = new ConnectError(why)
    if (this.#session === null) {
      this.#dialling.abort(cause)
      this.#become('closed', cause)
      return
    }
    // it takes nothing more from here on, though the session needs a moment to end
    this.#become('draining', cause)
    this.#session.destroy(cause)
  }

  async #dial(dial: ConnectionOptions['dial']): Promise<void> {
    try {
      const { socket, address } = await dial(this.#dialling.signal, (waitingFor) => {
        this.#waitingFor = waitingFor
      })
      this.#open(socket, address)
    } catch (error) {
      this.#become('closed', explainLoss(error as Error, this.#state))
    }
  }

  #open(socket: TLSSocket, address: string | null): void {
    if (this.#state === 'closed') {
      socket.destroy()
      return
    }
    if (socket.destroyed) throw new Error('the peer closed the connection')
    this.#address = address
    this.#waitingFor = 'its SETTINGS'
    if (address !== null) PROCESS_ADDRESS_USE.add(address)
    this.#session = new Http2Session<Stream>(
      socket,
      {
        settings: (maxConcurrentStreams) => this.#onSettings(maxConcurrentStreams),
        ended: (stream, end, cause) => this.#onEnded(stream, end, cause),
        read: () => this.#onRead(),
        goaway: (errorCode, _lastStreamId, debugData) => this.#onGoaway(errorCode, debugData),
        closed: (cause) => this.#become('closed', explainLoss(cause, this.#state)),
      },
      { keepFields: ANSWER_FIELDS },
    )
  }

  #become(state: ConnectionState, cause: Error | null): void {
    if (this.#state === state || this.#state === 'closed') return
    this.#state = state
    if (state === 'draining') {
      this.#drainStartedAtMs = performance.now()
      this.#session?.close()
    }
    if (state === 'closed') {
      clearInterval(this.#watch)
      if (this.#address !== null) PROCESS_ADDRESS_USE.remove(this.#address)
    }
    this.#events.stateChanged(this, state, cause)
  }

  #onRead(): void {
    this.#lastHeardMs = performance.now()
    this.#events.roomy(this)
  }

  #onSettings(maxConcurrentStreams: number): void {
    this.#streamLimit = maxConcurrentStreams
    this.#ownLimit = Number.POSITIVE_INFINITY
    if (this.#state === 'connecting')
      this.#become(maxConcurrentStreams === 1 ? 'probing' : 'ready', null)
    else if (this.#state === 'probing' && maxConcurrentStreams > 1) this.#become('ready', null)
  }

  #onGoaway(errorCode: number, debugData: string): void {
    const said = debugData === '' ? '' : `: ${debugData.slice(0, GOAWAY_TEXT_CHARACTERS)}`
    const why = `GOAWAY with error code ${errorCode}${said}`
    if (this.#state === 'connecting') this.destroy(why)
    else this.#become('draining', new ConnectError(why))
  }

  #onEnded(stream: Stream, end: StreamEnd, cause: string): void {
    if (end === 'answered') this.#onAnswer(stream.status)
    // refused within the limit: the peer has less room than it says, or than its next SETTINGS will say
    else if (end === 'notProcessed' && this.#state !== 'draining') this.#lowerLimit()
    this.#events.ended(this, stream, end, cause)
  }

  #onAnswer(status: number): void {
    if (status === STATUS_ACCEPTED) this.#wasUseful = true
    this.#timeoutsInARow = 0
    if (this.#ownLimit < this.#streamLimit) this.#raiseLimit()
    if (this.#state === 'probing') this.#become('ready', null)
  }

  #lowerLimit(): void {
    this.#ownLimit = Math.max(1, this.openRequests)
    this.#answersAtLimit = 0
  }

  /** Tries a little more after a good many answers, so that few are refused again on the way up. */
  #raiseLimit(): void {
    this.#answersAtLimit += 1
    if (this.#answersAtLimit < ANSWERS_BEFORE_RAISE * this.#ownLimit) return
    this.#ownLimit += Math.ceil(this.#ownLimit / 4)
    this.#answersAtLimit = 0
  }

  #checkDeadlines(): void {
    const now = performance.now()
    const { connectTimeoutMs, drainTimeoutMs } = this.#timings
    if (this.#state === 'connecting') {
      if (now - this.#openedAtMs > connectTimeoutMs)
        this.destroy(`no connection within ${connectTimeoutMs} ms: waited for ${this.#waitingFor}`)
    } else if (this.#state === 'draining' && now - this.#drainStartedAtMs > drainTimeoutMs) {
      this.destroy('its last answers did not come in time')
    } else if (this.#session !== null) {
      this.#expireRequests(this.#session, now)
      this.#askWhetherAlive(this.#session, now)
      this.#events.roomy(this)
    }
  }

  /** Ends the requests whose answer is overdue. */
  #expireRequests(session: Http2Session<Stream>, now: number): void {
    const { requestTimeoutMs } = this.#timings
    const cause = `no answer within ${requestTimeoutMs} ms`
    for (let stream = session.oldestStream; stream !== null; stream = session.oldestStream) {
      if (now - stream.sentAtMs <= requestTimeoutMs) break
      this.#timeoutsInARow += 1
      // the peer is told: until then the stream counts against its limit
      session.cancel(stream, cause)
    }
    if (this.#timeoutsInARow >= MAX_TIMEOUTS_IN_A_ROW)
      this.destroy(`${this.#timeoutsInARow} requests in a row went unanswered`)
  }

  #askWhetherAlive(session: Http2Session<Stream>, now: number): void {
    const { pingIntervalMs, pingTimeoutMs } = this.#timings
    if (this.#pingSentAtMs !== null) {
      if (now - this.#pingSentAtMs > pingTimeoutMs)
        this.destroy(`no answer to PING within ${pingTimeoutMs} ms`)
      return
    }
    if (now - this.#lastHeardMs < pingIntervalMs) return
    this.#pingSentAtMs = now
    session.ping(() => {
      this.#pingSentAtMs = null
    })
  }
}

/** Tells a credential that was turned away from a connection that could not be made. */
function explainLoss(cause: Error | null, state: ConnectionState): Error {
  if (cause === null) return new ConnectError('the peer closed the connection')
  const alert = alertAboutOurCertificate(cause)
  if (alert !== null)
    return new CredentialRefusedError(
      `The certificate was refused in the TLS handshake: ${alert}.`,
      cause,
    )
  if (cause instanceof ConnectError) return cause
  const doing = state === 'connecting' ? 'connecting' : 'connected'
  return new ConnectError(`lost while ${doing}: ${cause.message}`, cause)
}
