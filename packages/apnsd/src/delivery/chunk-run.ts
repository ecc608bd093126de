import {
  type ApnsNotification,
  type NotificationSource,
  type SendResult,
  topicFor,
} from '@apnsd/apns'
import type { App } from '../core/apps/app.ts'
import { formatApnsId } from '../core/notifications/apns-id.ts'
import { decide } from '../core/policy/retry.ts'
import type { Lease } from '../core/ports.ts'

export interface ChunkRunEvents {
  /** Apple takes nothing more with this credential. */
  credentialRefused(reason: string): void
  /** Every notification that still waited has been through; what becomes of the rest of the chunk is in the run. */
  done(): void
}

/** One leased chunk on its way through a client: says what to send, and writes down what came of it. */
export class ChunkRun implements NotificationSource {
  readonly lease: Lease
  readonly length: number
  /** True while outcomes have come in that are not written down yet. */
  dirty = false
  /** The longest wait that any of those to be sent again asked for. */
  retryDelayMs = 0
  /** True where some are to be sent again because of how their attempt ended, not because their client was taken away. */
  hasRetries = false
  readonly #app: App
  readonly #events: ChunkRunEvents
  readonly #random: () => number
  /** Indexes into the chunk of those that wait, in order. */
  readonly #waiting: number[]
  #open: number
  #isReleased = false

  constructor(lease: Lease, app: App, random: () => number, events: ChunkRunEvents) {
    this.lease = lease
    this.#app = app
    this.#random = random
    this.#events = events
    this.#waiting = []
    lease.outcomes.states.forEach((state, index) => {
      if (state === 0) this.#waiting.push(index)
    })
    this.length = this.#waiting.length
    this.#open = this.length
  }

  /** True once its client has been taken away: what comes back unsent was never tried. */
  get isReleased(): boolean {
    return this.#isReleased
  }

  /** From now on what has not been sent is not to be: its client is being taken away, through no fault of the chunk. */
  release(): void {
    this.#isReleased = true
  }

  take(position: number): ApnsNotification | null {
    if (this.#isReleased) return null
    const { chunk } = this.lease
    const index = this.#indexAt(position)
    const deviceToken = chunk.deviceTokens[index]
    const payload = chunk.payloads[chunk.payloadOf[index] ?? 0]
    if (deviceToken === undefined || payload === undefined)
      throw new Error(`a chunk has no notification ${index}`)
    return {
      deviceToken,
      payload: payload.bytes,
      topic: topicFor(payload.headers.pushType, this.#app.topic),
      pushType: payload.headers.pushType,
      priority: payload.headers.priority,
      apnsId: formatApnsId(chunk.batchId, chunk.firstIndex + index),
    }
  }

  settled(position: number, result: SendResult): void {
    this.#note(this.#indexAt(position), result)
    this.#open -= 1
    if (this.#open === 0) this.#events.done()
  }

  #note(index: number, result: SendResult): void {
    const tookItBack = result.type === 'notProcessed' && this.#isReleased
    if (tookItBack) return
    const decision = decide(result, this.lease.attempt, this.#random)
    switch (decision.type) {
      case 'settle':
        this.lease.outcomes.settle(index, decision.state, decision.detail)
        this.dirty = true
        return
      case 'retry':
        this.retryDelayMs = Math.max(this.retryDelayMs, decision.delayMs)
        this.hasRetries = true
        return
      case 'pauseApp':
        this.#events.credentialRefused(decision.why)
    }
  }

  #indexAt(position: number): number {
    const index = this.#waiting[position]
    if (index === undefined) throw new RangeError(`no notification waits at ${position}`)
    return index
  }
}
