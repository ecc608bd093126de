import { ApnsdError } from '../base/errors.ts'
import type { Depth, QueueDepth, QueueLimits } from '../core/ports.ts'

/** One app may fill so much of the queue: what piles up for it leaves room for the others. */
const SHARE_OF_ONE_APP = 0.75
/** When a caller that was turned away may try again, in seconds: by then a queue that moves has moved on. */
const RETRY_AFTER_S = 10

/** Counts what waits, so that a queue that is full can say no before it takes anything. */
export class DepthCounter {
  readonly #limits: QueueLimits
  readonly #byApp = new Map<string, { notifications: number; bytes: number }>()
  #notifications = 0
  #bytes = 0

  constructor(limits: QueueLimits) {
    this.#limits = limits
  }

  get depth(): QueueDepth {
    return {
      notifications: this.#notifications,
      bytes: this.#bytes,
      limits: this.#limits,
      byApp: this.#byApp,
    }
  }

  /** @throws {ApnsdError} queue-full where so much more is more than it may hold */
  refuseUnlessRoom(appId: string, more: Depth): void {
    const { maxNotifications, maxBytes } = this.#limits
    const own = this.#byApp.get(appId) ?? { notifications: 0, bytes: 0 }
    const isFull =
      this.#notifications + more.notifications > maxNotifications ||
      this.#bytes + more.bytes > maxBytes
    const isShareFull =
      own.notifications + more.notifications > maxNotifications * SHARE_OF_ONE_APP ||
      own.bytes + more.bytes > maxBytes * SHARE_OF_ONE_APP
    if (!isFull && !isShareFull) return
    const whose = isFull ? 'The queue is full' : 'This app has filled its share of the queue'
    throw new ApnsdError(
      'queue-full',
      `${whose}: ${own.notifications} notifications wait for this app, ${this.#notifications} in all.`,
      {
        hint: 'Nothing of this call was taken. Send less at a time, or wait until some have been sent.',
        retryAfterS: RETRY_AFTER_S,
      },
    )
  }

  /** @param more negative where something ended */
  add(appId: string, more: Depth): void {
    const own = this.#byApp.get(appId) ?? { notifications: 0, bytes: 0 }
    own.notifications += more.notifications
    own.bytes += more.bytes
    if (own.notifications === 0 && own.bytes === 0) this.#byApp.delete(appId)
    else this.#byApp.set(appId, own)
    this.#notifications += more.notifications
    this.#bytes += more.bytes
  }
}
