import { randomUUID } from 'node:crypto'
import {
  Connection,
  type ConnectionTimings,
  DEFAULT_TIMINGS,
  type RequestEnd,
} from './connection.ts'
import type { Credential } from './credentials/credential.ts'
import { type ProviderToken, ProviderTokenSource } from './credentials/provider-token.ts'
import { ConnectError, CredentialRefusedError, InDoubtError, NotProcessedError } from './errors.ts'
import { factsOfReason } from './reasons.ts'
import { type ApnsNotification, formatRequestFields } from './request.ts'
import { type Answer, parseAnswer, type SendResult } from './response.ts'

export interface ApnsClientOptions {
  /** Where Apple is: `https://api.push.apple.com`. */
  readonly url: string | URL
  readonly credential: Credential
  /** Certificate authorities to trust, PEM; absent: those that Node trusts. */
  readonly ca?: readonly string[] | undefined
  readonly timings?: Partial<ConnectionTimings>
  /** ms since the epoch, for provider tokens. */
  readonly now?: () => number
  /** From 0 up to 1, to spread the waits between attempts to connect. */
  readonly random?: () => number
  readonly onEvent?: (event: ClientEvent) => void
}

/** What happens to a client's connections, for logs and for whoever decides on them. */
export type ClientEvent =
  | { readonly type: 'connected' }
  | { readonly type: 'disconnected'; readonly cause: Error; readonly retryInMs: number | null }
  /** The peer wants no certificate of ours: no attempt is made any more. */
  | { readonly type: 'refused'; readonly cause: CredentialRefusedError }

/**
 * Notifications to send, in order, without an object or a promise for each.
 * The client asks for each when its HEADERS are about to be written, and settles each exactly once.
 */
export interface NotificationSource {
  readonly length: number
  /** The notification at `index`; null where it is not to be sent any more. It is then settled as not processed. */
  take(index: number): ApnsNotification | null
  settled(index: number, result: SendResult): void
}

/**
 * A client's life.
 *
 *     idle ──connect, submit──▶ connecting ──SETTINGS──▶ ready
 *                                 ▲    │                    │
 *                        retry in │    └──refused──▶ refused│
 *                            backingOff ◀──lost─────────────┘        closed ◀── close(), from any
 */
type ClientState = 'idle' | 'connecting' | 'ready' | 'backingOff' | 'refused' | 'closed'

/** Attempts to connect wait 1 s, 2 s, 4 s … 60 s: Apple takes connection churn for an attack. [field] */
const FIRST_BACKOFF_MS = 1000
const LONGEST_BACKOFF_MS = 60_000
/** How often one notification goes again at once after the peer did not process it; then its owner decides. */
const MAX_GOES = 5

interface Pending {
  readonly source: NotificationSource
  readonly index: number
  readonly goes: number
}

/** What belongs to a connection while it is used: the provider token it began with. */
interface Line {
  readonly connection: Connection
  token: ProviderToken | null
  /** True once a request was answered on it. A connection that ends before is as bad as none: the next one waits. */
  answered: boolean
}

/**
 * Sends notifications of one app in one environment, over one connection that it makes when needed, keeps, and replaces
 * when Apple ends it.
 */
export class ApnsClient {
  readonly #options: ApnsClientOptions
  readonly #url: URL
  readonly #timings: ConnectionTimings
  readonly #tokens: ProviderTokenSource | null
  readonly #random: () => number
  /** Sources whose notifications from `next` on have never been sent, in order. */
  readonly #fresh: { source: NotificationSource; next: number }[] = []
  /** Not processed by the peer, to go again before anything else. */
  readonly #again: Pending[] = []
  readonly #draining = new Set<Line>()
  #state: ClientState = 'idle'
  #line: Line | null = null
  #failures = 0
  #backoff: NodeJS.Timeout | undefined
  #connected = deferred()
  #emptied = deferred()
  #inFlight = 0

  constructor(options: ApnsClientOptions) {
    this.#options = options
    this.#url = new URL(options.url)
    this.#timings = { ...DEFAULT_TIMINGS, ...options.timings }
    this.#random = options.random ?? Math.random
    this.#tokens =
      options.credential.type === 'token'
        ? new ProviderTokenSource(options.credential, options.now ?? Date.now)
        : null
  }

  /**
   * Sends one notification, connecting first where there is no connection.
   * @returns Apple's answer, also when that is a rejection
   * @throws {NotProcessedError} the peer refused it time and again, or the client was closed first; sending it anew is safe
   * @throws {InDoubtError} it was sent and no answer came
   */
  send(notification: Omit<ApnsNotification, 'apnsId'> & { apnsId?: string }): Promise<Answer> {
    const whole = { ...notification, apnsId: notification.apnsId ?? randomUUID() }
    return new Promise((resolve, reject) => {
      this.submit({
        length: 1,
        take: () => whole,
        settled: (_index, result) => {
          if (result.type === 'notProcessed') reject(new NotProcessedError(result.cause))
          else if (result.type === 'inDoubt') reject(new InDoubtError(result.cause))
          else resolve(result)
        },
      })
    })
  }

  /** Sends all of a source's notifications, as fast as the peer's stream limit allows. Each is settled exactly once. */
  submit(source: NotificationSource): void {
    this.#fresh.push({ source, next: 0 })
    if (this.#state === 'closed' || this.#state === 'refused')
      this.#giveUpWaiting('the client is closed')
    else this.#pump()
  }

  /**
   * Connects where there is no connection, and goes on trying until there is one.
   * @throws {CredentialRefusedError} the peer turned the certificate away
   * @throws {ConnectError} the client was closed first
   */
  connect(): Promise<void> {
    const { promise } = this.#connected
    if (this.#state === 'idle') this.#dial()
    // whoever waits now should not wait out a long back-off: the next attempt comes within the first step of it
    else if (this.#state === 'backingOff') this.#dialIn(FIRST_BACKOFF_MS)
    return promise
  }

  /**
   * Ends the client: takes nothing more, gives what was not sent back as not processed, waits for the answers to what
   * was, at most `drainMs`, then destroys. Always resolves.
   */
  async close(drainMs = this.#timings.drainTimeoutMs): Promise<void> {
    this.#state = 'closed'
    clearTimeout(this.#backoff)
    this.#rejectConnected(new ConnectError('the client was closed'))
    if (this.#line !== null) this.#retire(this.#line)
    this.#giveUpWaiting('the client was closed')
    if (this.#inFlight > 0) {
      let timer: NodeJS.Timeout | undefined
      const deadline = new Promise<void>((resolve) => {
        timer = setTimeout(resolve, drainMs)
      })
      await Promise.race([this.#emptied.promise, deadline])
      clearTimeout(timer)
    }
    for (const { connection } of this.#draining) connection.destroy('the client was closed')
  }

  /** Tells whoever waits in {@link connect}; nobody may be waiting. */
  #rejectConnected(cause: Error): void {
    this.#connected.promise.catch(() => undefined)
    this.#connected.reject(cause)
  }

  #giveUpWaiting(cause: string): void {
    for (const { source, index } of this.#again.splice(0))
      source.settled(index, { type: 'notProcessed', cause })
    for (const { source, next } of this.#fresh.splice(0))
      for (let index = next; index < source.length; index += 1)
        source.settled(index, { type: 'notProcessed', cause })
  }

  #dial(): void {
    this.#state = 'connecting'
    const { credential } = this.#options
    const line: Line = {
      token: this.#tokens?.adopt() ?? null,
      answered: false,
      connection: new Connection(
        {
          url: this.#url,
          ca: this.#options.ca,
          certificate: credential.type === 'certificate' ? credential : null,
          timings: this.#timings,
        },
        {
          stateChanged: (state, cause) => {
            if (state === 'ready') this.#onReady(line)
            else if (state === 'draining') this.#onDraining(line, cause)
            else if (state === 'closed') this.#onClosed(line, cause)
          },
          roomy: () => this.#pump(),
        },
      ),
    }
    this.#line = line
  }

  #dialIn(delayMs: number): void {
    clearTimeout(this.#backoff)
    this.#backoff = setTimeout(() => this.#dial(), delayMs)
  }

  #onReady(line: Line): void {
    if (line !== this.#line) return
    this.#state = 'ready'
    this.#connected.resolve()
    this.#options.onEvent?.({ type: 'connected' })
    this.#pump()
  }

  /** The peer announced the end: what was sent is still answered there, all else goes over a new connection. */
  #onDraining(line: Line, cause: Error | null): void {
    if (line !== this.#line) return
    this.#retire(line)
    this.#lose(line, cause ?? new ConnectError('the connection was retired'))
  }

  #onClosed(line: Line, cause: Error | null): void {
    this.#draining.delete(line)
    if (line !== this.#line) return
    this.#line = null
    if (cause instanceof CredentialRefusedError) {
      this.#state = 'refused'
      this.#rejectConnected(cause)
      this.#options.onEvent?.({ type: 'refused', cause })
      this.#giveUpWaiting(cause.message)
      return
    }
    this.#lose(line, cause ?? new ConnectError('the connection ended'))
  }

  /** Takes a connection out of use, letting it end in its own time. */
  #retire(line: Line): void {
    if (line === this.#line) this.#line = null
    this.#draining.add(line)
    line.connection.retire()
    if (line.connection.state === 'closed') this.#draining.delete(line)
  }

  /** There is no connection any more: a replacement is made at once if this one was of use, else after the back-off. */
  #lose(line: Line, cause: Error): void {
    if (!this.#isOpen()) return
    const wasReady = this.#state === 'ready'
    if (wasReady) this.#connected = deferred()
    this.#failures = line.answered ? 0 : this.#failures + 1
    const needed = this.#again.length > 0 || this.#fresh.length > 0 || !wasReady
    const retryInMs = !needed ? null : line.answered ? 0 : this.#backoffMs()
    this.#state = retryInMs === null ? 'idle' : 'backingOff'
    if (retryInMs !== null) this.#dialIn(retryInMs)
    this.#options.onEvent?.({ type: 'disconnected', cause, retryInMs })
  }

  #backoffMs(): number {
    const longest = Math.min(FIRST_BACKOFF_MS * 2 ** (this.#failures - 1), LONGEST_BACKOFF_MS)
    return longest / 2 + (this.#random() * longest) / 2
  }

  #pump(): void {
    if (this.#state === 'idle' && (this.#again.length > 0 || this.#fresh.length > 0)) this.#dial()
    const line = this.#line
    if (line === null) return
    while (line === this.#line && line.connection.room > 0) {
      const pending = this.#nextPending()
      if (pending === undefined) return
      const notification = pending.source.take(pending.index)
      if (notification === null)
        pending.source.settled(pending.index, { type: 'notProcessed', cause: 'it was withdrawn' })
      else this.#write(line, pending, notification)
    }
  }

  #nextPending(): Pending | undefined {
    const again = this.#again.shift()
    if (again !== undefined) return again
    const head = this.#fresh[0]
    if (head === undefined) return undefined
    const pending = { source: head.source, index: head.next, goes: 0 }
    head.next += 1
    if (head.next >= head.source.length) this.#fresh.shift()
    return pending
  }

  #write(line: Line, pending: Pending, notification: ApnsNotification): void {
    if (line.token !== null) line.token = this.#tokens?.renew(line.token) ?? null
    const fields = formatRequestFields(
      notification,
      this.#url.host,
      line.token?.authorization ?? null,
    )
    this.#inFlight += 1
    line.connection.request(fields, notification.payload, (end) => {
      this.#inFlight -= 1
      this.#onEnd(line, pending, notification.apnsId, end)
      if (this.#inFlight === 0) {
        this.#emptied.resolve()
        this.#emptied = deferred()
      }
    })
  }

  #onEnd(line: Line, pending: Pending, apnsId: string, end: RequestEnd): void {
    if (end.type === 'answer') {
      line.answered = true
      const answer = parseAnswer(end.answer, apnsId)
      if (answer.type === 'rejected') this.#heed(line, answer.reason, answer.status)
      pending.source.settled(pending.index, answer)
    } else if (end.type === 'notProcessed' && pending.goes < MAX_GOES && this.#isOpen()) {
      this.#again.push({ ...pending, goes: pending.goes + 1 })
      this.#pump()
    } else {
      pending.source.settled(pending.index, end)
    }
  }

  #isOpen(): boolean {
    return this.#state !== 'closed' && this.#state !== 'refused'
  }

  /** Does to the connection what the reason asks: some make it useless, though it is still open. */
  #heed(line: Line, reason: string, status: number): void {
    const { closesConnection, class: reasonClass } = factsOfReason(reason, status)
    if (reasonClass === 'providerToken') this.#tokens?.discard()
    if (closesConnection && line === this.#line) line.connection.retire()
  }
}

interface Deferred {
  readonly promise: Promise<void>
  resolve(): void
  reject(cause: Error): void
}

function deferred(): Deferred {
  return Promise.withResolvers<void>()
}
