import type { Log } from '../base/log.ts'
import type { Clock } from '../core/ports.ts'
import type { SqliteFeedbackStore } from './sqlite-feedback-store.ts'

const HOUR_MS = 3_600_000
const DAY_MS = 24 * HOUR_MS
/** Forgotten in one transaction: 4 to 10 ms on a busy machine, in which nothing else is done. A thousand took 50 to 100. */
const SWEEP_ENTRIES = 100

export interface FeedbackRetentionParts {
  readonly feedback: Pick<SqliteFeedbackStore, 'sweep'>
  readonly clock: Clock
  readonly log: Log
  /** How long an entry is kept after it was recorded. */
  readonly keepDays: number
  /** Waits between two transactions, so that the daemon does other things most of the time. */
  readonly pause: () => Promise<unknown>
}

/** Forgets old feedback: at the start, then every hour. */
export class FeedbackRetention {
  readonly #parts: FeedbackRetentionParts
  #timer: NodeJS.Timeout | undefined
  #state: 'idle' | 'sweeping' | 'stopped' = 'idle'

  constructor(parts: FeedbackRetentionParts) {
    this.#parts = parts
  }

  start(): void {
    this.#timer = setInterval(() => void this.sweep(), HOUR_MS)
    this.#timer.unref()
    void this.sweep()
  }

  stop(): void {
    this.#state = 'stopped'
    clearInterval(this.#timer)
  }

  /** Forgets all that is too old by now, a little at a time: what others write goes in between. */
  async sweep(): Promise<void> {
    if (this.#state !== 'idle') return
    this.#state = 'sweeping'
    const { log, keepDays } = this.#parts
    try {
      const entries = await this.#forget()
      if (entries > 0) log.info({ entries, keepDays }, 'forgot old feedback')
    } catch (error) {
      log.error({ err: error }, 'could not forget old feedback; trying again in an hour')
    }
    if (!this.#isStopped()) this.#state = 'idle'
  }

  async #forget(): Promise<number> {
    const { feedback, clock, keepDays, pause } = this.#parts
    const beforeMs = clock.now() - keepDays * DAY_MS
    let forgotten = 0
    for (;;) {
      await pause()
      if (this.#isStopped()) return forgotten
      const count = feedback.sweep(beforeMs, SWEEP_ENTRIES)
      forgotten += count
      if (count < SWEEP_ENTRIES) return forgotten
    }
  }

  /** Reads the state anew: it changes while a call is awaited, which the compiler does not see. */
  #isStopped(): boolean {
    return this.#state === 'stopped'
  }
}
