import type { Log } from '../base/log.ts'
import type { Clock } from '../core/ports.ts'
import type { SqliteFeedbackStore } from './sqlite-feedback-store.ts'

const HOUR_MS = 3_600_000
const DAY_MS = 24 * HOUR_MS
/** Forgotten in one transaction: a few milliseconds, in which nothing else is written. */
const SWEEP_ENTRIES = 1000

export interface FeedbackRetentionParts {
  readonly feedback: Pick<SqliteFeedbackStore, 'sweep'>
  readonly clock: Clock
  readonly log: Log
  /** How long an entry is kept after it was recorded. */
  readonly keepDays: number
}

/** Forgets old feedback: at the start, then every hour. */
export class FeedbackRetention {
  readonly #parts: FeedbackRetentionParts
  #timer: NodeJS.Timeout | undefined
  #isStopped = false

  constructor(parts: FeedbackRetentionParts) {
    this.#parts = parts
  }

  start(): void {
    this.#timer = setInterval(() => void this.sweep(), HOUR_MS)
    this.#timer.unref()
    void this.sweep()
  }

  stop(): void {
    this.#isStopped = true
    clearInterval(this.#timer)
  }

  /** Forgets all that is too old by now, a little at a time: what others write goes in between. */
  async sweep(): Promise<void> {
    const { feedback, clock, log, keepDays } = this.#parts
    const beforeMs = clock.now() - keepDays * DAY_MS
    let forgotten = 0
    try {
      for (;;) {
        await new Promise((resolve) => setImmediate(resolve))
        if (this.#isStopped) break
        const count = feedback.sweep(beforeMs, SWEEP_ENTRIES)
        forgotten += count
        if (count < SWEEP_ENTRIES) break
      }
    } catch (error) {
      log.error({ err: error }, 'could not forget old feedback; trying again in an hour')
    }
    if (forgotten > 0) log.info({ entries: forgotten, keepDays }, 'forgot old feedback')
  }
}
