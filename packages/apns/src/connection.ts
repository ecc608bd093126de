import { ConnectError, CredentialRefusedError } from './errors.ts'
import type { RequestFields } from './http2/request-encoder.ts'
import type { RequestStream, StreamEnd } from './http2/request-stream.ts'
import { Http2Session } from './http2/session.ts'
import { dial } from './tls/dial.ts'

/**
 * A connection's life.
 *
 *     connecting ──SETTINGS──▶ ready ──GOAWAY, retire()──▶ draining ──last answer──▶ closed
 *         │                      │                            │                        ▲
 *         └──refused, deadline───┴──socket lost, PING unanswered, destroy()────────────┘
 *
 * - connecting: dialling, TLS, waiting for the peer's SETTINGS; takes no request.
 * - ready: takes as many requests at a time as the peer's live stream limit allows.
 * - draining: takes none; those sent are still answered.
 * - closed: over; every request it took has ended.
 */
export type ConnectionState = 'connecting' | 'ready' | 'draining' | 'closed'

export interface ConnectionTimings {
  /** From the first packet to the peer's SETTINGS. */
  readonly connectTimeoutMs: number
  /** From a request's HEADERS to its answer. */
  readonly requestTimeoutMs: number
  /** Without any answer for so long, the peer is asked by PING whether it is there. */
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
  readonly url: URL
  readonly ca: readonly string[] | undefined
  readonly certificate: { readonly certificatePem: string; readonly privateKeyPem: string } | null
  readonly timings: ConnectionTimings
}

export interface ConnectionEvents {
  stateChanged(state: ConnectionState, cause: Error | null): void
  /** There is room for another request where there was none. */
  roomy(): void
}

/** What a request on a connection ends in: see {@link StreamEnd}. */
export type RequestEnd = StreamEnd

/** So many requests without an answer in time, one after the other: the connection is dead, whatever PING says. */
const MAX_TIMEOUTS_IN_A_ROW = 3

interface InFlight {
  readonly sentAtMs: number
  readonly onEnd: (end: RequestEnd) => void
  stream: RequestStream | null
  done: boolean
}

/** One connection to Apple. Speaks requests and answers; whose they are is its owner's to know. */
export class Connection {
  readonly #events: ConnectionEvents
  readonly #timings: ConnectionTimings
  readonly #session: Http2Session
  readonly #inFlight = new Set<InFlight>()
  readonly #openedAtMs = performance.now()
  readonly #watch: NodeJS.Timeout
  #state: ConnectionState = 'connecting'
  #streamLimit = 0
  #timeoutsInARow = 0
  #lastHeardMs = performance.now()
  #pingSentAtMs: number | null = null
  #drainStartedAtMs = 0

  constructor(options: ConnectionOptions, events: ConnectionEvents) {
    this.#events = events
    this.#timings = options.timings
    this.#session = new Http2Session(dial(options), {
      settings: (maxConcurrentStreams) => this.#onSettings(maxConcurrentStreams),
      goaway: (errorCode, _lastStreamId, debugData) => this.#onGoaway(errorCode, debugData),
      closed: (cause) => this.#become('closed', explainLoss(cause, this.#state)),
    })
    const shortest = Math.min(
      options.timings.connectTimeoutMs,
      options.timings.requestTimeoutMs,
      options.timings.pingTimeoutMs,
      options.timings.drainTimeoutMs,
    )
    this.#watch = setInterval(() => this.#checkDeadlines(), Math.max(10, shortest / 10))
  }

  get state(): ConnectionState {
    return this.#state
  }

  /** How many more requests the peer's live limit allows; 0 unless ready. */
  get room(): number {
    if (this.#state !== 'ready' || !this.#session.isOpen) return 0
    return Math.max(0, this.#streamLimit - this.#inFlight.size)
  }

  /**
   * Sends one request. `onEnd` is called exactly once, also when the connection is lost.
   * Call only while there is {@link room}.
   */
  request(
    fields: RequestFields,
    body: string | Uint8Array,
    onEnd: (end: RequestEnd) => void,
  ): void {
    const flight: InFlight = {
      sentAtMs: performance.now(),
      onEnd,
      stream: null,
      done: false,
    }
    this.#inFlight.add(flight)
    flight.stream = this.#session.request(fields, body, (end) => this.#settle(flight, end))
    if (this.#session.isRetireDue) this.retire()
  }

  /** Takes no further request; closes when the last answer is in, or its time is up. */
  retire(): void {
    if (this.#state === 'connecting') this.destroy('it was given up while connecting')
    else if (this.#state === 'ready') this.#become('draining', null)
  }

  /** Ends it now. What is in flight is in doubt. */
  destroy(why: string): void {
    if (this.#state === 'closed') return
    const cause = new ConnectError(why)
    // it takes nothing more from here on, though the session needs a moment to end
    if (this.#state === 'ready') this.#become('draining', cause)
    this.#session.destroy(cause)
  }

  #become(state: ConnectionState, cause: Error | null): void {
    if (this.#state === state || this.#state === 'closed') return
    this.#state = state
    if (state === 'draining') {
      this.#drainStartedAtMs = performance.now()
      this.#session.close()
    }
    if (state === 'closed') {
      clearInterval(this.#watch)
      // the session ends every stream before it says that it is closed; whoever is left was never told
      for (const flight of this.#inFlight)
        this.#settle(flight, { type: 'inDoubt', cause: cause?.message ?? 'the connection ended' })
    }
    this.#events.stateChanged(state, cause)
  }

  #onSettings(maxConcurrentStreams: number): void {
    this.#lastHeardMs = performance.now()
    const hadRoom = this.room > 0
    this.#streamLimit = maxConcurrentStreams
    if (this.#state === 'connecting') this.#become('ready', null)
    else if (!hadRoom && this.room > 0) this.#events.roomy()
  }

  #onGoaway(errorCode: number, debugData: string): void {
    const said = debugData === '' ? '' : `: ${debugData.slice(0, 200)}`
    if (this.#state === 'connecting') this.destroy(`GOAWAY with error code ${errorCode}${said}`)
    else this.#become('draining', new ConnectError(`GOAWAY with error code ${errorCode}${said}`))
  }

  #settle(flight: InFlight, end: RequestEnd): void {
    if (flight.done) return
    flight.done = true
    const hadRoom = this.room > 0
    this.#inFlight.delete(flight)
    if (end.type === 'answer') {
      this.#timeoutsInARow = 0
      this.#lastHeardMs = performance.now()
    }
    flight.onEnd(end)
    if (!hadRoom && this.room > 0) this.#events.roomy()
  }

  #checkDeadlines(): void {
    const now = performance.now()
    if (this.#state === 'connecting') {
      if (now - this.#openedAtMs > this.#timings.connectTimeoutMs)
        this.destroy(`no answer to the connection within ${this.#timings.connectTimeoutMs} ms`)
      return
    }
    if (this.#state === 'draining' && now - this.#drainStartedAtMs > this.#timings.drainTimeoutMs) {
      this.destroy('its last answers did not come in time')
      return
    }
    this.#expireRequests(now)
    this.#askWhetherAlive(now)
  }

  /** Ends the requests whose answer is overdue. They were sent in the order in which the set holds them. */
  #expireRequests(now: number): void {
    for (const flight of this.#inFlight) {
      if (now - flight.sentAtMs <= this.#timings.requestTimeoutMs) break
      this.#timeoutsInARow += 1
      const cause = `no answer within ${this.#timings.requestTimeoutMs} ms`
      // the peer is told first: until then the stream counts against its limit
      if (flight.stream !== null) this.#session.cancel(flight.stream, cause)
      this.#settle(flight, { type: 'inDoubt', cause })
    }
    if (this.#timeoutsInARow >= MAX_TIMEOUTS_IN_A_ROW)
      this.destroy(`${this.#timeoutsInARow} requests in a row went unanswered`)
  }

  #askWhetherAlive(now: number): void {
    if (this.#pingSentAtMs !== null) {
      if (now - this.#pingSentAtMs > this.#timings.pingTimeoutMs)
        this.destroy(`no answer to PING within ${this.#timings.pingTimeoutMs} ms`)
      return
    }
    if (now - this.#lastHeardMs < this.#timings.pingIntervalMs) return
    this.#pingSentAtMs = now
    this.#session.ping(() => {
      this.#pingSentAtMs = null
      this.#lastHeardMs = performance.now()
    })
  }
}

/** TLS alerts by which a peer says that it does not want our certificate, as OpenSSL spells them. */
const ALERT_ABOUT_OUR_CERTIFICATE =
  /ALERT_(BAD_CERTIFICATE|UNSUPPORTED_CERTIFICATE|CERTIFICATE_(REVOKED|EXPIRED|UNKNOWN|REQUIRED)|UNKNOWN_CA|ACCESS_DENIED)/

/** Tells a credential that was turned away from a connection that could not be made. */
function explainLoss(cause: Error | null, state: ConnectionState): Error {
  if (cause === null) return new ConnectError('the peer closed the connection')
  const code = (cause as NodeJS.ErrnoException).code ?? ''
  if (ALERT_ABOUT_OUR_CERTIFICATE.test(code)) {
    const alert = code
      .replace(/^.*ALERT_/, '')
      .toLowerCase()
      .replaceAll('_', ' ')
    return new CredentialRefusedError(
      `The certificate was refused in the TLS handshake: ${alert}.`,
      cause,
    )
  }
  if (cause instanceof ConnectError) return cause
  const doing = state === 'connecting' ? 'connecting' : 'connected'
  return new ConnectError(`lost while ${doing}: ${cause.message}`, cause)
}
