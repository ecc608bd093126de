import { randomUUID } from 'node:crypto'
import { PROCESS_ADDRESS_USE } from './address-use.ts'
import { type ApnsClientOptions, CLIENT_DEFAULTS, readUrl } from './client-options.ts'
import { PROCESS_CONNECT_LIMITER } from './connect-limiter.ts'
import { type Connection, DEFAULT_TIMINGS } from './connection.ts'
import type { Credential } from './credentials/credential.ts'
import { ProviderTokenSource } from './credentials/provider-token.ts'
import {
  ConnectError,
  InDoubtError,
  InvalidNotificationError,
  NotProcessedError,
} from './errors.ts'
import { Fifo } from './fifo.ts'
import { RequestStream, type StreamEnd } from './http2/request-stream.ts'
import { ConnectionPool, type ConnectionSetup, type PoolEvent } from './pool.ts'
import { topicFor } from './push-types.ts'
import { factsOfReason } from './reasons.ts'
import { type ApnsNotification, findFault } from './request.ts'
import { type Answer, parseAnswer, type Rejected, type SendResult } from './response.ts'
import { dial } from './tls/dial.ts'
import { TlsContext } from './tls/tls-context.ts'

/**
 * Notifications to send, in order, without an object or a promise for each.
 * The client asks for each when its HEADERS are about to be written, and settles each exactly once.
 */
export interface NotificationSource {
  readonly length: number
  /**
   * The notification at `index`; null where it is not to be sent any more. It is then settled as not processed. The
   * object may be used again for the next one, its payload not before it is settled.
   */
  take(index: number): ApnsNotification | null
  settled(index: number, result: SendResult): void
}

/** What to send: as {@link ApnsNotification}, with some of it left to the client. */
export interface NotificationToSend extends Omit<ApnsNotification, 'apnsId' | 'payload' | 'topic'> {
  /** The JSON body as text or UTF-8, or what is to be written as JSON. */
  readonly payload: string | Uint8Array | Readonly<Record<string, unknown>>
  /** The whole topic; absent with a certificate: its own, with the push type's suffix. A signing key has none. */
  readonly topic?: string | undefined
  /** Canonical UUID, lower case; absent: a new one. */
  readonly apnsId?: string | undefined
}

/** How often one notification goes again at once after the peer did not process it; then its owner decides. */
const MAX_GOES = 5
/** Urgent ones that go in a row while others wait: enough to be before them, not so many that those never go. */
const URGENT_IN_A_ROW = 15
/** So many go over one connection before the next with the most room is looked for. */
const SLICE = 64
/** How often it looks for what has waited too long. */
const SWEEPS_WITHIN_WAIT_TIMEOUT = 10

/** A notification on its way: where it comes from, and the stream that carries it. */
class Flight extends RequestStream {
  readonly source: NotificationSource
  readonly index: number
  /** When it is given back if it still waits, as `performance.now()` has it; Infinity: its owner decides. */
  readonly waitsUntilMs: number
  /** How often it went before. */
  readonly goes: number
  apnsId = ''

  constructor(source: NotificationSource, index: number, waitsUntilMs: number, goes: number) {
    super()
    this.source = source
    this.index = index
    this.waitsUntilMs = waitsUntilMs
    this.goes = goes
  }
}

/** A source whose notifications from `next` on have never been sent. */
interface Waiting {
  readonly source: NotificationSource
  next: number
  /** As `performance.now()` has it; Infinity: its owner decides. */
  readonly waitsUntilMs: number
}

/**
 * Sends notifications of one app in one environment, over connections that it makes when needed, keeps, and replaces
 * when Apple ends them.
 */
export class ApnsClient {
  readonly #options: ApnsClientOptions
  readonly #url: URL
  #credential: Credential
  readonly #pool: ConnectionPool<Flight>
  readonly #waitTimeoutMs: number
  readonly #maxWaiting: number
  /** In order. */
  readonly #fresh = new Fifo<Waiting>()
  /** In order, and before what is merely fresh. */
  readonly #urgent = new Fifo<Waiting>()
  #urgentInARow = 0
  /** Not processed by the peer, to go again before anything else. */
  readonly #again = new Fifo<Flight>()
  #waitingCount = 0
  /** Resolved when fewer than `#maxWaiting` wait; null: nobody asked. */
  #room: PromiseWithResolvers<void> | null = null
  #isPumping = false
  #sweep: NodeJS.Timeout | undefined

  constructor(options: ApnsClientOptions) {
    this.#options = options
    this.#url = readUrl(options)
    this.#credential = options.credential
    this.#waitTimeoutMs = options.waitTimeoutMs ?? CLIENT_DEFAULTS.waitTimeoutMs
    this.#maxWaiting = options.maxWaiting ?? CLIENT_DEFAULTS.maxWaiting
    this.#pool = new ConnectionPool<Flight>(
      {
        authority: this.#url.host,
        setup: this.#createSetup(options.credential),
        timings: { ...DEFAULT_TIMINGS, ...options.timings },
        maxConnections: options.maxConnections ?? CLIENT_DEFAULTS.maxConnections,
        shrinkIntervalMs: options.shrinkIntervalMs ?? CLIENT_DEFAULTS.shrinkIntervalMs,
        limiter: options.limiter ?? PROCESS_CONNECT_LIMITER,
        random: options.random ?? Math.random,
      },
      {
        ended: (connection, flight, end, cause) => this.#onEnded(connection, flight, end, cause),
        roomy: () => this.#pump(),
        hasWork: () => this.#waitingCount > 0,
        event: (event) => this.#onPoolEvent(event),
      },
    )
  }

  /** How many connections take notifications now. */
  get connections(): number {
    return this.#pool.size
  }

  /** How many wait to be sent. */
  get waiting(): number {
    return this.#waitingCount
  }

  /**
   * Sends one notification, connecting first where there is no connection.
   * @returns Apple's answer, also when that is a rejection
   * @throws {NotProcessedError} the peer refused it time and again, there was no connection in time, or the client was
   *   closed first; sending it anew is safe
   * @throws {InDoubtError} it was sent and no answer came
   * @throws {InvalidNotificationError} it cannot be sent as it is; nothing was
   */
  send(notification: NotificationToSend): Promise<Answer> {
    const { promise, resolve, reject } = Promise.withResolvers<Answer>()
    const whole = this.#complete(notification)
    const source: NotificationSource = {
      length: 1,
      take: () => whole,
      settled: (_index, result) => {
        if (result.type === 'notProcessed') reject(new NotProcessedError(result.cause))
        else if (result.type === 'inDoubt') reject(new InDoubtError(result.cause))
        else if (result.type === 'invalid') reject(new InvalidNotificationError(result.cause))
        else resolve(result)
      },
    }
    this.#enqueue(source, performance.now() + this.#waitTimeoutMs)
    this.#sweep ??= setInterval(
      () => this.#giveUpOverdue(),
      Math.max(1, this.#waitTimeoutMs / SWEEPS_WITHIN_WAIT_TIMEOUT),
    )
    return promise
  }

  /**
   * Sends all of a source's notifications, as fast as the peer's stream limits allow. Each is settled exactly once. They
   * wait for a connection for as long as it takes: `take` may say that one is not to be sent any more.
   * @param isUrgent whether they go before what was submitted otherwise and still waits, but for one in sixteen
   */
  submit(source: NotificationSource, { isUrgent = false } = {}): void {
    this.#enqueue(source, Number.POSITIVE_INFINITY, isUrgent ? this.#urgent : this.#fresh)
  }

  /**
   * Resolves when fewer than `maxWaiting` notifications wait to be sent, at once where that is so: to be awaited before
   * the next `send` or `submit` by whoever has more to send than should lie in memory.
   */
  room(): Promise<void> {
    if (this.#waitingCount < this.#maxWaiting) return Promise.resolve()
    this.#room ??= Promise.withResolvers()
    return this.#room.promise
  }

  /**
   * Connects where there is no connection, and goes on trying until there is one.
   * @throws {CredentialRefusedError} the peer turned the certificate away
   * @throws {ConnectError} the client was closed first
   */
  connect(): Promise<void> {
    return this.#pool.connect()
  }

  /**
   * Changes the credential: all connections from now on are made with it. Where there are some, they go on until one
   * with the new credential is ready, and then drain; no notification is lost.
   * @returns resolves when the new credential is in use
   * @throws {CredentialRefusedError} the peer turned the new certificate away; the old credential stays in use
   * @throws {ConnectError} the client was closed first, or still another credential came
   */
  async useCredential(credential: Credential): Promise<void> {
    await this.#pool.use(this.#createSetup(credential))
    this.#credential = credential
  }

  /**
   * Ends the client: takes nothing more, gives what was not sent back as not processed, waits for the answers to what
   * was, at most `drainMs`, then destroys. Always resolves, with everything settled and nothing left that would keep the
   * process alive.
   */
  async close(drainMs: number = this.#drainTimeoutMs): Promise<void> {
    clearInterval(this.#sweep)
    const closed = this.#pool.close(drainMs)
    this.#giveUpWaiting('the client was closed')
    await closed
  }

  get #drainTimeoutMs(): number {
    return this.#options.timings?.drainTimeoutMs ?? DEFAULT_TIMINGS.drainTimeoutMs
  }

  #createSetup(credential: Credential): ConnectionSetup {
    const { ca, onKeylog, proxy = null, lookup } = this.#options
    const { now = Date.now, random = Math.random } = this.#options
    const certificate = credential.type === 'certificate' ? credential : null
    const context = new TlsContext({ extraCa: ca, certificate, onKeylog })
    const providerTokens =
      credential.type === 'token' ? new ProviderTokenSource(credential, now, random) : null
    return {
      providerTokens,
      dial: (signal, onStep) =>
        dial({
          url: this.#url,
          context,
          proxy,
          lookup,
          connectionsTo: (address) => PROCESS_ADDRESS_USE.countOf(address),
          signal,
          onStep,
        }),
    }
  }

  #complete(notification: NotificationToSend): ApnsNotification {
    const { payload, topic, pushType, apnsId = randomUUID() } = notification
    const isBody = typeof payload === 'string' || payload instanceof Uint8Array
    const credential = this.#credential
    const own = credential.type === 'certificate' ? topicFor(pushType, credential.defaultTopic) : ''
    const body = isBody ? payload : JSON.stringify(payload)
    return { ...notification, payload: body, topic: topic ?? own, apnsId }
  }

  #enqueue(source: NotificationSource, waitsUntilMs: number, to = this.#fresh): void {
    if (source.length === 0) return
    to.push({ source, next: 0, waitsUntilMs })
    this.#waitingCount += source.length
    if (this.#isOver()) this.#giveUpWaiting('the client takes nothing any more')
    else this.#pump()
  }

  #isOver(): boolean {
    return this.#pool.state === 'closed' || this.#pool.state === 'refused'
  }

  #onPoolEvent(event: PoolEvent): void {
    if (event.type === 'refused') this.#giveUpWaiting(event.cause.message)
    this.#call(() => this.#options.onEvent?.(event))
  }

  /** Sends what waits for as long as there is room. */
  #pump(): void {
    if (this.#isPumping || this.#isOver()) return // what called us within the loop is served by the loop
    this.#isPumping = true
    while (this.#waitingCount > 0) {
      const connection = this.#pool.pick()
      if (connection === null) break
      this.#fill(connection, Math.min(connection.room, SLICE))
    }
    this.#isPumping = false
    if (this.#waitingCount > 0) this.#pool.want()
    else this.#pool.satisfied()
    if (this.#room !== null && this.#waitingCount < this.#maxWaiting) {
      this.#room.resolve()
      this.#room = null
    }
  }

  #fill(connection: Connection<Flight>, count: number): void {
    for (let room = count; room > 0 && connection.takesMore; room -= 1) {
      const flight = this.#nextFlight()
      if (flight === undefined || !this.#sendFlight(connection, flight)) return
    }
  }

  #nextFlight(): Flight | undefined {
    const again = this.#again.shift()
    if (again !== undefined) {
      this.#waitingCount -= 1
      return again
    }
    const from = this.#nextFifo()
    const head = from.first
    if (head === undefined) return undefined
    const flight = new Flight(head.source, head.next, head.waitsUntilMs, 0)
    head.next += 1
    if (head.next >= head.source.length) from.shift()
    this.#waitingCount -= 1
    return flight
  }

  #nextFifo(): Fifo<Waiting> {
    if (this.#urgent.first === undefined) return this.#fresh
    const othersWait = this.#fresh.first !== undefined
    if (othersWait && this.#urgentInARow >= URGENT_IN_A_ROW) {
      this.#urgentInARow = 0
      return this.#fresh
    }
    this.#urgentInARow += 1
    return this.#urgent
  }

  /** @returns whether the connection may take more */
  #sendFlight(connection: Connection<Flight>, flight: Flight): boolean {
    const notification = this.#take(flight)
    if (notification === null) {
      this.#settle(flight, { type: 'notProcessed', cause: 'it was withdrawn' })
      return true
    }
    const fault = findFault(notification)
    if (fault !== null) {
      this.#settle(flight, { type: 'invalid', cause: fault })
      return true
    }
    flight.apnsId = notification.apnsId
    if (connection.send(flight, notification)) return true
    this.#sendAgain(flight)
    return false
  }

  #sendAgain({ source, index, waitsUntilMs, goes }: Flight): void {
    this.#again.push(new Flight(source, index, waitsUntilMs, goes + 1))
    this.#waitingCount += 1
  }

  #onEnded(connection: Connection<Flight>, flight: Flight, end: StreamEnd, cause: string): void {
    if (end === 'answered') {
      const answer = parseAnswer(flight, flight.apnsId)
      if (answer.type === 'rejected') this.#heed(connection, answer)
      this.#settle(flight, answer)
    } else if (end === 'notProcessed' && flight.goes < MAX_GOES && !this.#isOver()) {
      // sent when all that came with this is read: there may be room then
      this.#sendAgain(flight)
    } else {
      this.#settle(flight, { type: end, cause })
    }
  }

  /** Does to the connection what the reason asks: some make it useless, though it is still open. */
  #heed(connection: Connection<Flight>, { reason, status }: Rejected): void {
    const { closesConnection, class: reasonClass } = factsOfReason(reason, status)
    const isMended = reasonClass === 'providerToken' && connection.discardProviderToken()
    if (closesConnection)
      this.#pool.retire(
        connection,
        new ConnectError(`Apple answered ${status} ${reason}`),
        isMended || connection.wasUseful,
      )
  }

  /** Gives what was not sent back to its owners. */
  #giveUpWaiting(cause: string): void {
    this.#waitingCount = 0
    const result: SendResult = { type: 'notProcessed', cause }
    for (const flight of this.#again.takeAll()) this.#settle(flight, result)
    for (const waiting of [...this.#urgent.takeAll(), ...this.#fresh.takeAll()])
      this.#settleRest(waiting, result)
    this.#room?.resolve()
    this.#room = null
  }

  /** Gives back what `send` was given and what found no connection in time. */
  #giveUpOverdue(): void {
    const now = performance.now()
    const isOverdue = ({ waitsUntilMs }: { waitsUntilMs: number }): boolean => waitsUntilMs <= now
    const cause = `no connection took it within ${this.#waitTimeoutMs} ms`
    const result: SendResult = { type: 'notProcessed', cause }
    for (const flight of this.#again.takeWhere(isOverdue)) {
      this.#waitingCount -= 1
      this.#settle(flight, result)
    }
    for (const waiting of this.#fresh.takeWhere(isOverdue)) {
      this.#waitingCount -= waiting.source.length - waiting.next
      this.#settleRest(waiting, result)
    }
    if (this.#waitingCount > 0) return
    clearInterval(this.#sweep)
    this.#sweep = undefined
  }

  #settleRest({ source, next }: Waiting, result: SendResult): void {
    for (let index = next; index < source.length; index += 1)
      this.#call(() => source.settled(index, result))
  }

  #take({ source, index }: Flight): ApnsNotification | null {
    try {
      return source.take(index)
    } catch (error) {
      throwLater(error)
      return null
    }
  }

  #settle({ source, index }: Flight, result: SendResult): void {
    try {
      source.settled(index, result)
    } catch (error) {
      throwLater(error)
    }
  }

  /** Calls what is not ours. */
  #call(act: () => void): void {
    try {
      act()
    } catch (error) {
      throwLater(error)
    }
  }
}

/** Whoever gave us a callback that throws is to know it, and the others are to get their answers all the same. */
function throwLater(error: unknown): void {
  process.nextTick(() => {
    throw error
  })
}
