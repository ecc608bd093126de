import {
  type ApnsNotification,
  factsOfReason,
  type NotificationSource,
  type SendResult,
  topicFor,
} from '@apnsd/apns'
import type { App } from '../core/apps/app.ts'
import { formatApnsId } from '../core/notifications/apns-id.ts'
import type { CheckedPayload } from '../core/notifications/check.ts'
import { expiresAtMs } from '../core/notifications/chunk.ts'
import type { FinalState } from '../core/outcome.ts'
import { isSuspectReason } from '../core/policy/device-token-breaker.ts'
import { decide } from '../core/policy/retry.ts'
import type { Lease } from '../core/ports.ts'
import type { ThrottledDeviceTokens } from './throttled-device-tokens.ts'

type Rejected = Extract<SendResult, { type: 'rejected' }>

/** What a run needs of the delivery that it belongs to. */
export interface ChunkRunHost {
  now(): number
  /** From 0 up to 1. */
  random(): number
  readonly throttled: ThrottledDeviceTokens
  /** Apple takes nothing more with this credential. */
  credentialRefused(run: ChunkRun, reason: string): void
  /**
   * An answer says something about a device token.
   * @returns true where so many are suspect that it is not to be believed
   */
  judged(run: ChunkRun, isSuspect: boolean): boolean
  /** Tries it in the other environment; false where that cannot be. */
  tryElsewhere(notification: ApnsNotification, settled: (result: SendResult) => void): boolean
  /** Every notification that was to be sent has been through; what becomes of the chunk is in its lease. */
  done(run: ChunkRun): void
}

/** How far a position of a run has come. */
const UNSENT = 0
const SENT = 1
const THROUGH = 2

/**
 * One leased chunk on its way through a client: says what to send, and writes down what came of it.
 *
 * Each position is unsent, then sent, then through; withdrawn ones are through without having been sent. The client
 * learns of that when it asks for them, which may be later than the chunk is given back.
 */
export class ChunkRun implements NotificationSource {
  readonly lease: Lease
  readonly length: number
  /** True while outcomes have come in that are not written down yet. */
  dirty = false
  readonly #app: App
  readonly #host: ChunkRunHost
  /** Indexes into the chunk of those that are to be sent, in order. */
  readonly #indexes: number[]
  /** By position; see {@link UNSENT}. */
  readonly #progress: Uint8Array
  /** One for the whole run: what fails together is due again together, in one chunk. */
  readonly #jitter: number
  readonly #canExpire: boolean
  #open: number
  #isReleased = false

  constructor(lease: Lease, app: App, host: ChunkRunHost) {
    this.lease = lease
    this.#app = app
    this.#host = host
    this.#jitter = host.random()
    this.#indexes = []
    const { states, retries } = lease.outcomes
    const nowMs = host.now()
    for (let index = 0; index < states.length; index += 1) {
      if (states[index] !== 0) continue
      const dueAtMs = retries.size === 0 ? 0 : (retries.get(index)?.dueAtMs ?? 0)
      if (dueAtMs <= nowMs) this.#indexes.push(index)
    }
    this.length = this.#indexes.length
    this.#open = this.length
    this.#progress = new Uint8Array(this.length)
    const { payloads, options } = lease.chunk
    this.#canExpire = payloads.some(({ headers }) => expiresAtMs(headers, options) !== null)
  }

  /** True once its client has been taken away: what comes back unsent was never tried. */
  get isReleased(): boolean {
    return this.#isReleased
  }

  /** From now on what has not been sent is not to be: its client is being taken away, through no fault of the chunk. */
  release(): void {
    this.#isReleased = true
  }

  /** Takes out what has been cancelled or has expired and was not sent, without waiting until a client asks for it. */
  sweep(): void {
    const { isCancelled } = this.lease
    if (!isCancelled && !this.#canExpire) return
    const nowMs = this.#host.now()
    for (let position = 0; position < this.length; position += 1) {
      if (this.#progress[position] !== UNSENT) continue
      if (isCancelled) this.#through(position)
      else if (this.#isExpired(position, nowMs)) this.#expire(position)
    }
  }

  take(position: number): ApnsNotification | null {
    if (this.#progress[position] === THROUGH || this.#isReleased) return null
    if (this.lease.isCancelled) return this.#withdraw(position)
    const { throttled } = this.#host
    // the clock is asked for those alone that something depends on it for
    if (this.#canExpire && this.#isExpired(position, this.#host.now()))
      return this.#expire(position)
    if (!throttled.isEmpty) {
      const untilMs = throttled.untilMs(this.#deviceTokenAt(position), this.#host.now())
      if (untilMs !== null) return this.#holdBack(position, untilMs)
    }
    this.#progress[position] = SENT
    return this.#notificationAt(position)
  }

  settled(position: number, result: SendResult): void {
    if (this.#progress[position] === THROUGH) return // it was withdrawn before the client asked for it
    const index = this.#indexAt(position)
    const wasNeverTried =
      result.type === 'notProcessed' && (this.#isReleased || this.lease.isCancelled)
    if (!wasNeverTried && this.#note(index, position, result) === 'elsewhere') return
    this.#through(position)
  }

  /** @returns `elsewhere` where another environment has it now, and it is not through */
  #note(index: number, position: number, result: SendResult): 'noted' | 'elsewhere' {
    if (result.type === 'accepted') this.#host.judged(this, false)
    if (result.type === 'rejected') {
      if (this.#isForOtherEnvironment(result) && this.#tryElsewhere(index, position, result))
        return 'elsewhere'
      if (this.#isNotToBeBelieved(result)) return 'noted'
    }
    this.#decide(index, result)
    return 'noted'
  }

  #decide(index: number, result: SendResult): void {
    const { outcomes, enqueuedAtMs, chunk } = this.lease
    const attempts = (outcomes.retries.get(index)?.attempts ?? 0) + 1
    const decision = decide(result, {
      number: attempts,
      nowMs: this.#host.now(),
      sinceMs: Math.max(enqueuedAtMs, chunk.options.sendAtMs),
      expiresAtMs: this.#canExpire ? this.#expiresAtMs(index) : null,
      inDoubt: this.#app.policy.inDoubt,
      jitter: this.#jitter,
    })
    if (decision.type === 'pauseApp') {
      this.#host.credentialRefused(this, decision.why)
      return
    }
    this.dirty = true
    if (decision.type === 'settle') {
      outcomes.settle(index, decision.state, decision.detail, attempts)
      return
    }
    const { dueAtMs, reason } = decision
    outcomes.retry(index, { attempts, dueAtMs, reason })
    if (result.type === 'rejected' && reason === 'TooManyRequests')
      this.#host.throttled.add(chunk.deviceTokens[index] ?? '', dueAtMs)
  }

  /** True where so many device tokens are suspect that this one's rejection is kept back: it goes on waiting. */
  #isNotToBeBelieved({ reason, status }: Rejected): boolean {
    if (factsOfReason(reason, status).class !== 'deviceToken') return false
    return this.#host.judged(this, isSuspectReason(reason))
  }

  #isForOtherEnvironment({ reason }: Rejected): boolean {
    return reason === 'BadDeviceToken' && this.#app.policy.tryOtherEnvironment
  }

  #tryElsewhere(index: number, position: number, rejected: Rejected): boolean {
    return this.#host.tryElsewhere(this.#notificationAt(position), (result) => {
      if (result.type === 'accepted') this.#settle(index, 'accepted')
      else if (result.type === 'rejected') {
        if (!this.#isNotToBeBelieved(rejected)) this.#decide(index, rejected)
      } else this.#decide(index, result)
      this.#through(position)
    })
  }

  #settle(index: number, state: FinalState): void {
    const { outcomes } = this.lease
    const attempts = (outcomes.retries.get(index)?.attempts ?? 0) + 1
    outcomes.settle(index, state, { reason: '', isOtherEnvironment: true }, attempts)
    this.dirty = true
  }

  #through(position: number): void {
    this.#progress[position] = THROUGH
    this.#open -= 1
    if (this.#open === 0) this.#host.done(this)
  }

  #withdraw(position: number): null {
    this.#through(position)
    return null
  }

  #expire(position: number): null {
    const index = this.#indexAt(position)
    const reason = this.lease.outcomes.retries.get(index)?.reason
    this.lease.outcomes.settle(index, 'expired', reason === undefined ? undefined : { reason })
    this.dirty = true
    return this.#withdraw(position)
  }

  #holdBack(position: number, dueAtMs: number): null {
    const index = this.#indexAt(position)
    const attempts = this.lease.outcomes.retries.get(index)?.attempts ?? 0
    this.lease.outcomes.retry(index, { attempts, dueAtMs, reason: 'TooManyRequests' })
    this.dirty = true
    return this.#withdraw(position)
  }

  #isExpired(position: number, nowMs: number): boolean {
    const atMs = this.#expiresAtMs(this.#indexAt(position))
    return atMs !== null && atMs <= nowMs
  }

  #expiresAtMs(index: number): number | null {
    return expiresAtMs(this.#payloadOf(index).headers, this.lease.chunk.options)
  }

  #notificationAt(position: number): ApnsNotification {
    const index = this.#indexAt(position)
    const { chunk } = this.lease
    const { bytes, headers } = this.#payloadOf(index)
    return {
      deviceToken: this.#deviceTokenAt(position),
      payload: bytes,
      topic: headers.topic ?? topicFor(headers.pushType, this.#app.topic),
      pushType: headers.pushType,
      priority: headers.priority,
      expirationEpochS: headers.expirationEpochS,
      collapseId: headers.collapseId,
      apnsId: formatApnsId(chunk.batchId, chunk.firstIndex + index),
    }
  }

  #payloadOf(index: number): CheckedPayload {
    const { payloads, payloadOf } = this.lease.chunk
    const payload = payloads[payloadOf[index] ?? 0]
    if (payload === undefined) throw new Error(`a chunk has no notification ${index}`)
    return payload
  }

  #deviceTokenAt(position: number): string {
    const deviceToken = this.lease.chunk.deviceTokens[this.#indexAt(position)]
    if (deviceToken === undefined) throw new Error(`a chunk has no notification at ${position}`)
    return deviceToken
  }

  #indexAt(position: number): number {
    const index = this.#indexes[position]
    if (index === undefined) throw new RangeError(`no notification waits at ${position}`)
    return index
  }
}
