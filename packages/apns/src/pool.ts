import type { ConnectLimiter } from './connect-limiter.ts'
import {
  Connection,
  type ConnectionOptions,
  type ConnectionState,
  type ConnectionTimings,
} from './connection.ts'
import { ConnectError, CredentialRefusedError } from './errors.ts'
import type { RequestStream, StreamEnd } from './http2/request-stream.ts'

/** What a pool's connections are made with; another one takes its place while the pool lives. */
export type ConnectionSetup = Pick<ConnectionOptions, 'dial' | 'providerTokens'>

export interface PoolOptions {
  readonly authority: string
  readonly setup: ConnectionSetup
  readonly timings: ConnectionTimings
  /** At least 1. */
  readonly maxConnections: number
  /** How often it looks whether it has more connections than it needs. */
  readonly shrinkIntervalMs: number
  readonly limiter: ConnectLimiter
  /** From 0 up to 1, to spread the waits between attempts to connect. */
  readonly random: () => number
}

/** What happens to a pool's connections, for logs and for whoever decides on them. */
export type PoolEvent =
  | { readonly type: 'connected'; readonly address: string | null; readonly connections: number }
  /**
   * A connection was lost, ended by the peer, or could not be made; `connections` are left. `retryInMs`: when the next
   * attempt is made; null: none is needed now.
   */
  | {
      readonly type: 'disconnected'
      readonly cause: Error
      readonly connections: number
      readonly retryInMs: number | null
    }
  /** One connection less is needed, or it gave way to one with another credential. */
  | { readonly type: 'retired'; readonly why: string; readonly connections: number }
  /** The peer wants no certificate of ours: no attempt is made any more. */
  | { readonly type: 'refused'; readonly cause: CredentialRefusedError }

/** What a pool tells its owner. None of them may throw. */
export interface PoolEvents<Stream extends RequestStream> {
  /** A request came to its end. */
  ended(connection: Connection<Stream>, stream: Stream, end: StreamEnd, cause: string): void
  /** There may be a connection with room where there was none. */
  roomy(): void
  /** Whether something waits to be sent. */
  hasWork(): boolean
  event(event: PoolEvent): void
}

/**
 * A pool's life.
 *
 *     idle ──connect, work──▶ connecting ──one is ready──▶ ready ──the last is lost──▶ idle, when nothing waits
 *                               ▲    │                       │
 *                      retry in │    └──refused──▶ refused   │
 *                          backingOff ◀──the last is lost────┘             closed ◀── close(), from any
 *
 * `ready` means: at least one connection takes requests. Others may be on their way at the same time.
 */
type PoolState = 'idle' | 'connecting' | 'backingOff' | 'ready' | 'refused' | 'closed'

/** Attempts to connect wait up to 1 s, 2 s, 4 s … 60 s, at random: Apple takes connection churn for an attack. [field] */
const FIRST_BACKOFF_MS = 1000
const LONGEST_BACKOFF_MS = 60_000
/** So long all connections must be full, with more waiting, before there are more. */
const GROW_AFTER_MS = 50
/** Where the event loop is busier than this, another connection would find no time to be fed. */
const BUSY_UTILIZATION = 0.9
/** A pool shrinks where what it had in flight at most filled less than this of what would be left. */
const SHRINK_BELOW = 0.5

/** The connections to one host with one credential: makes them, chooses among them, replaces and retires them. */
export class ConnectionPool<Stream extends RequestStream> {
  readonly #options: PoolOptions
  readonly #events: PoolEvents<Stream>
  /** Those that take requests, the oldest first. */
  #lines: Connection<Stream>[] = []
  /** Those that are being made. */
  readonly #dialling = new Set<Connection<Stream>>()
  readonly #draining = new Set<Connection<Stream>>()
  #state: PoolState = 'idle'
  #setup: ConnectionSetup
  /** Those of an earlier setup, which give way once one of the present setup is ready. */
  readonly #outdated = new Set<Connection<Stream>>()
  /** While a new setup waits to take over: what to go back to where it is refused, and whom to tell. */
  #swap: { readonly from: ConnectionSetup; readonly done: PromiseWithResolvers<void> } | null = null
  #failures = 0
  /** No attempt before, as `performance.now()` has it: after one that failed. */
  #notBeforeMs = 0
  readonly #dialTimers = new Set<NodeJS.Timeout>()
  #growth: { readonly timer: NodeJS.Timeout; readonly loadAtStart: LoopLoad } | null = null
  #shrinkTimer: NodeJS.Timeout | undefined
  #peakOpenRequests = 0
  #connected = Promise.withResolvers<void>()
  /** Why nothing is sent any more, once that is so. */
  #over: Error | null = null
  #closed: PromiseWithResolvers<void> | null = null

  constructor(options: PoolOptions, events: PoolEvents<Stream>) {
    this.#options = options
    this.#events = events
    this.#setup = options.setup
  }

  get state(): PoolState {
    return this.#state
  }

  /** How many connections take requests. */
  get size(): number {
    return this.#lines.length
  }

  /** Chooses the connection with the most room; null: none has any. */
  pick(): Connection<Stream> | null {
    let best: Connection<Stream> | null = null
    let most = 0
    for (const line of this.#lines) {
      const { room } = line
      if (room > most) {
        most = room
        best = line
      }
    }
    return best
  }

  /** Something waits and no connection has room: makes the first one, or thinks about another. */
  want(): void {
    if (this.#state === 'idle') this.#dialIn(this.#msUntilAllowed())
    else if (this.#state === 'ready') {
      this.#notePeak()
      this.#considerGrowth()
    }
  }

  /** Nothing waits any more. */
  satisfied(): void {
    this.#notePeak()
    this.#stopGrowth()
  }

  /**
   * Connects where there is no connection, and goes on trying until there is one.
   * @throws {CredentialRefusedError} the peer turned the certificate away
   * @throws {ConnectError} the pool was closed first
   */
  connect(): Promise<void> {
    if (this.#over !== null) return Promise.reject(this.#over)
    const { promise } = this.#connected
    // whoever waits now should not wait out a long back-off: the next attempt comes within the first step of it
    if (this.#state === 'idle' || this.#state === 'backingOff')
      this.#dialIn(Math.min(this.#msUntilAllowed(), FIRST_BACKOFF_MS))
    return promise
  }

  /**
   * Makes all connections with another setup from now on: a new one first; when it is ready, those of the old setup
   * drain. Until then they go on.
   * @returns resolves when a connection of the new setup is ready, at once where there is none yet to give way
   * @throws {CredentialRefusedError} the peer turned the new certificate away; the old setup stays in use
   * @throws {ConnectError} the pool was closed first, or another setup came
   */
  use(setup: ConnectionSetup): Promise<void> {
    if (this.#state === 'closed') return Promise.reject(new ConnectError('the client was closed'))
    const from = this.#swap?.from ?? this.#setup
    this.#endSwap(new ConnectError('another credential took its place'))
    this.#setup = setup
    if (this.#state === 'refused') {
      this.#over = null
      this.#connected = Promise.withResolvers()
      this.#state = 'idle'
    }
    if (this.#dialling.size > 0) {
      this.#abandonDials('another credential took its place')
      this.#dialIn(0)
    }
    if (this.#lines.length === 0) return Promise.resolve()
    for (const line of this.#lines) this.#outdated.add(line)
    const done = Promise.withResolvers<void>()
    done.promise.catch(() => undefined) // its owner may not care
    this.#swap = { from, done }
    this.#dialIn(0)
    return done.promise
  }

  /**
   * Takes a connection out of use because of what the peer answered on it; what it was sent is still answered.
   * @param wasUseful false: the next one waits as after a failed attempt
   */
  retire(line: Connection<Stream>, cause: Error, wasUseful: boolean): void {
    if (!this.#lines.includes(line)) return
    this.#drain(line)
    this.#lose(cause, wasUseful)
  }

  /** Takes nothing more, waits for the answers that are owed, at most `drainMs`, then destroys. Always resolves. */
  async close(drainMs: number): Promise<void> {
    if (this.#closed !== null) return this.#closed.promise
    this.#closed = Promise.withResolvers()
    this.#state = 'closed'
    clearInterval(this.#shrinkTimer)
    this.#stopGrowth()
    const cause = new ConnectError('the client was closed')
    this.#over = cause
    this.#rejectConnected(cause)
    this.#endSwap(cause)
    this.#abandonDials(cause.message)
    for (const line of [...this.#lines]) this.#drain(line)
    const timer = setTimeout(() => {
      for (const line of this.#draining) line.destroy(cause.message)
    }, drainMs)
    this.#resolveIfClosed()
    await this.#closed.promise
    clearTimeout(timer)
  }

  #resolveIfClosed(): void {
    if (this.#draining.size === 0) this.#closed?.resolve()
  }

  /** Tells whoever waits in {@link connect}; nobody may be waiting. */
  #rejectConnected(cause: Error): void {
    this.#connected.promise.catch(() => undefined)
    this.#connected.reject(cause)
  }

  #endSwap(cause: Error | null): void {
    this.#outdated.clear()
    if (cause === null) this.#swap?.done.resolve()
    else this.#swap?.done.reject(cause)
    this.#swap = null
  }

  /** Makes a connection, now or later, where none is on its way. */
  #dialIn(delayMs: number): void {
    const isOnItsWay = this.#dialling.size > 0
    if (this.#state !== 'ready')
      this.#state = delayMs > 0 && !isOnItsWay ? 'backingOff' : 'connecting'
    if (isOnItsWay) return
    this.#stopDialTimers()
    if (delayMs > 0) this.#dialAfter(delayMs, () => this.#dialInTurn())
    else this.#dialInTurn()
  }

  /** Waits for the process's turn first, then dials. */
  #dialInTurn(): void {
    const waitMs = this.#options.limiter.takeTurn()
    if (waitMs > 0) this.#dialAfter(waitMs, () => this.#dial())
    else this.#dial()
  }

  #dialAfter(delayMs: number, act: () => void): void {
    const timer = setTimeout(() => {
      this.#dialTimers.delete(timer)
      act()
    }, delayMs)
    this.#dialTimers.add(timer)
  }

  #stopDialTimers(): void {
    for (const timer of this.#dialTimers) clearTimeout(timer)
    this.#dialTimers.clear()
  }

  #dial(): void {
    if (this.#state !== 'ready') this.#state = 'connecting'
    const { authority, timings } = this.#options
    const connection = new Connection<Stream>(
      { authority, timings, ...this.#setup },
      {
        stateChanged: (line, state, cause) => this.#onStateChanged(line, state, cause),
        ended: (line, stream, end, cause) => this.#events.ended(line, stream, end, cause),
        roomy: () => this.#events.roomy(),
      },
    )
    this.#dialling.add(connection)
  }

  #abandonDials(why: string): void {
    this.#stopDialTimers()
    const lines = [...this.#dialling]
    this.#dialling.clear()
    for (const line of lines) {
      this.#draining.add(line)
      line.destroy(why)
    }
  }

  #onStateChanged(line: Connection<Stream>, state: ConnectionState, cause: Error | null): void {
    if (state === 'closed') this.#onClosed(line, cause)
    else if (this.#dialling.has(line)) {
      if (state !== 'draining') this.#onReady(line)
    } else if (state === 'draining' && this.#lines.includes(line)) {
      // the peer announced the end, or its stream identifiers are used up
      this.#drain(line)
      this.#lose(cause ?? new ConnectError('the connection has served its time'), line.wasUseful)
    }
  }

  #onReady(line: Connection<Stream>): void {
    this.#dialling.delete(line)
    this.#lines.push(line)
    this.#state = 'ready'
    this.#events.event({ type: 'connected', address: line.address, connections: this.size })
    for (const outdated of this.#outdated) {
      this.#drain(outdated)
      const why = 'a connection with another credential took its place'
      this.#events.event({ type: 'retired', why, connections: this.size })
    }
    this.#endSwap(null)
    this.#connected.resolve()
    this.#shrinkTimer ??= setInterval(
      () => this.#considerShrinking(),
      this.#options.shrinkIntervalMs,
    ).unref()
  }

  #onClosed(line: Connection<Stream>, cause: Error | null): void {
    this.#draining.delete(line)
    const loss = cause ?? new ConnectError('the connection ended')
    if (this.#dialling.delete(line)) {
      this.#onDialFailed(loss)
    } else if (this.#remove(line)) {
      if (!this.#refuseIfLast(loss)) this.#lose(loss, line.wasUseful)
    }
    this.#resolveIfClosed()
  }

  #onDialFailed(cause: Error): void {
    if (this.#refuseIfLast(cause)) return
    if (cause instanceof CredentialRefusedError && this.#swap !== null) {
      this.#setup = this.#swap.from
      this.#endSwap(cause)
      return
    }
    if (this.#lines.length === 0) {
      this.#lose(cause, false)
      return
    }
    const retryInMs = this.#backOff()
    if (this.#swap !== null) this.#dialIn(retryInMs)
    this.#events.event({ type: 'disconnected', cause, connections: this.size, retryInMs })
  }

  /**
   * Ends the pool's attempts where the peer turned the certificate away, in the handshake or, by TLS 1.3, just after it.
   * @returns false where that is not why, or others go on with the same credential: then it cannot be that
   */
  #refuseIfLast(cause: Error): boolean {
    if (!(cause instanceof CredentialRefusedError) || this.#lines.length > 0) return false
    this.#endSwap(cause)
    this.#abandonDials(cause.message)
    this.#state = 'refused'
    this.#over = cause
    this.#rejectConnected(cause)
    this.#events.event({ type: 'refused', cause })
    return true
  }

  /** Takes a connection out of use, letting it end in its own time. */
  #drain(line: Connection<Stream>): void {
    this.#remove(line)
    this.#draining.add(line)
    line.retire()
  }

  #remove(line: Connection<Stream>): boolean {
    const count = this.#lines.length
    this.#lines = this.#lines.filter((other) => other !== line)
    this.#outdated.delete(line)
    return this.#lines.length < count
  }

  /** A connection is gone. Where it was the last, another is made: at once if this one was of use, else after a wait. */
  #lose(cause: Error, wasUseful: boolean): void {
    if (this.#state === 'closed' || this.#state === 'refused') return
    const backoffMs = wasUseful ? 0 : this.#backOff()
    if (wasUseful) {
      this.#failures = 0
      this.#notBeforeMs = 0
    }
    let retryInMs: number | null = null
    if (this.#lines.length === 0) {
      const wasReady = this.#state === 'ready'
      if (wasReady) this.#connected = Promise.withResolvers()
      const isNeeded = !wasReady || this.#events.hasWork()
      this.#state = 'idle'
      if (isNeeded) {
        retryInMs = backoffMs
        this.#dialIn(backoffMs)
      }
    }
    this.#events.event({ type: 'disconnected', cause, connections: this.size, retryInMs })
  }

  #msUntilAllowed(): number {
    return Math.max(0, this.#notBeforeMs - performance.now())
  }

  /** Counts a failure. @returns how long to wait before the next attempt */
  #backOff(): number {
    this.#failures += 1
    const longest = Math.min(FIRST_BACKOFF_MS * 2 ** (this.#failures - 1), LONGEST_BACKOFF_MS)
    const backoffMs = this.#options.random() * longest
    this.#notBeforeMs = performance.now() + backoffMs
    return backoffMs
  }

  /**
   * Looks whether more connections would help: all are full, stay so for a while, and the event loop has time left.
   * Not while some are on their way or the peer holds us down to one request at a time, which another would only evade.
   * A connection that takes none at all is no use, and nobody says for how long.
   */
  #considerGrowth(): void {
    if (this.#growth !== null || !this.#mayGrow()) return
    const timer = setTimeout(() => this.#grow(), GROW_AFTER_MS)
    this.#growth = { timer, loadAtStart: performance.eventLoopUtilization() }
  }

  #mayGrow(): boolean {
    const isHeldDown = this.#lines.some(
      (line) => line.state === 'probing' || line.streamLimit === 1,
    )
    const isBelowMost = this.#lines.length < this.#options.maxConnections
    return (
      isBelowMost &&
      !isHeldDown &&
      this.#dialling.size + this.#dialTimers.size === 0 &&
      this.#msUntilAllowed() === 0
    )
  }

  #grow(): void {
    const { loadAtStart } = this.#growth!
    this.#growth = null
    if (this.#state !== 'ready' || !this.#mayGrow() || this.pick() !== null) return
    const { utilization } = performance.eventLoopUtilization(loadAtStart)
    if (utilization >= BUSY_UTILIZATION) return
    // twice as many: four rounds to the most, each as long as it takes to connect
    const { length } = this.#lines
    const count = Math.min(length, this.#options.maxConnections - length)
    for (let n = 0; n < count; n += 1) this.#dialInTurn()
  }

  #stopGrowth(): void {
    if (this.#growth === null) return
    clearTimeout(this.#growth.timer)
    this.#growth = null
  }

  #notePeak(): void {
    let open = 0
    for (const line of this.#lines) open += line.openRequests
    if (open > this.#peakOpenRequests) this.#peakOpenRequests = open
  }

  /** Retires the connection with the least to do where the others would be half empty without it. */
  #considerShrinking(): void {
    const peak = this.#peakOpenRequests
    this.#peakOpenRequests = 0
    this.#notePeak()
    if (this.#lines.length < 2) return
    const idlest = this.#lines.reduce((a, b) => (b.openRequests < a.openRequests ? b : a))
    let roomLeft = 0
    for (const line of this.#lines) if (line !== idlest) roomLeft += line.streamLimit
    if (peak >= roomLeft * SHRINK_BELOW) return
    this.#drain(idlest)
    const why = 'the others have room enough'
    this.#events.event({ type: 'retired', why, connections: this.size })
  }
}

type LoopLoad = ReturnType<typeof performance.eventLoopUtilization>
