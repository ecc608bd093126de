/** So many connections may be made at once: a daemon of some fifty apps starts without waiting. */
const BURST = 50
/** And so many a second from then on, however many clients the process has. */
const PER_SECOND = 10
const SECOND_MS = 1000

/**
 * Bounds the rate at which a process makes connections. Apple takes connection churn for an attack, and a fault that makes
 * every client reconnect at once is churn. [lessons: pushy#489]
 *
 * A bucket of 50 that gains 10 a second; who finds it empty waits for its turn, in order.
 */
export class ConnectLimiter {
  readonly #now: () => number
  /** When the bucket was, or will be, full. */
  #fullAtMs = Number.NEGATIVE_INFINITY

  /** @param now a monotonic clock, ms */
  constructor(now: () => number = () => performance.now()) {
    this.#now = now
  }

  /**
   * Takes a turn.
   * @returns in how many ms it comes; 0: now. It counts, whether it is used or not.
   */
  takeTurn(): number {
    const now = this.#now()
    const intervalMs = SECOND_MS / PER_SECOND
    this.#fullAtMs = Math.max(this.#fullAtMs, now) + intervalMs
    return Math.max(0, this.#fullAtMs - now - BURST * intervalMs)
  }
}

/** That of the process: what clients share unless they are given another. */
export const PROCESS_CONNECT_LIMITER = new ConnectLimiter()
