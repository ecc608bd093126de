import { BoundedList } from './bounded-list.ts'
import { SimulatorError } from './errors.ts'

/** Notifications kept: enough for a load test's last round. With headers and a small payload some 250 MB when full. */
const MAX_KEPT = 100_000
/** Payloads kept, all together: large ones push the oldest out before their number does. */
const MAX_KEPT_PAYLOAD_BYTES = 128 * 1024 * 1024

/** Holds one request that was answered, and its answer. */
export interface Notification {
  /** Number of the answer, counted from 0 over the simulator's life. */
  index: number
  receivedAtMs: number
  /** Number of the connection it came on; see `ConnectionView.id`. */
  connection: number
  /** In lower case; empty when the path held none. */
  deviceToken: string
  /** Every field as it came, pseudo-headers and provider token included; a repeated field's values joined by `, `. */
  headers: Record<string, string>
  /** Parsed JSON, or the text when it is none. Of a payload over 16 KiB only the start is kept. */
  payload: unknown
  payloadBytes: number
  status: number
  reason: string | null
  /** The request's, or the one that was made up. */
  apnsId: string
}

interface Waiter {
  /** The answers of what number are awaited. */
  of: 'accepted' | 'answers'
  count: number
  resolve: (notifications: Notification[]) => void
  reject: (error: SimulatorError) => void
}

/** Remembers what was answered, and wakes whoever waits for it. */
export class NotificationLog {
  readonly #answers = new BoundedList<Notification>(MAX_KEPT, MAX_KEPT_PAYLOAD_BYTES)
  readonly #accepted = new BoundedList<Notification>(MAX_KEPT, MAX_KEPT_PAYLOAD_BYTES)
  #waiters: Waiter[] = []
  #acceptedSinceClear = 0
  #acceptedTotal = 0
  #answersTotal = 0
  #closed = false

  /** Number of all accepted notifications, those no longer kept included. */
  get acceptedTotal(): number {
    return this.#acceptedTotal
  }

  /** Number of all answers, those no longer kept included. */
  get answersTotal(): number {
    return this.#answersTotal
  }

  /** Takes up an answered notification and numbers it. */
  record(answered: Omit<Notification, 'index'>): void {
    const notification: Notification = { index: this.#answersTotal, ...answered }
    this.#answersTotal += 1
    this.#answers.push(notification, notification.payloadBytes)
    if (notification.status === 200) {
      this.#acceptedTotal += 1
      this.#acceptedSinceClear += 1
      this.#accepted.push(notification, notification.payloadBytes)
    }
    if (this.#waiters.length > 0) this.#wake()
  }

  /** Copies what was accepted, oldest first. */
  accepted(): Notification[] {
    return this.#accepted.toArray()
  }

  /** Copies everything answered, oldest first. */
  answers(): Notification[] {
    return this.#answers.toArray()
  }

  /** Forgets everything but the totals. Who waits goes on waiting, from nought. */
  clear(): void {
    this.#answers.clear()
    this.#accepted.clear()
    this.#acceptedSinceClear = 0
  }

  /**
   * Waits until so many were accepted since the last `clear`, and gives all that are kept.
   * @throws {SimulatorError} CLOSED when the log is closed first.
   */
  waitForAccepted(count: number): Promise<Notification[]> {
    return this.#wait('accepted', count)
  }

  /**
   * Waits until so many were answered, clearing or not, and gives all answers that are kept.
   * @throws {SimulatorError} CLOSED when the log is closed first.
   */
  waitForAnswered(count: number): Promise<Notification[]> {
    return this.#wait('answers', count)
  }

  /** Lets nobody wait any longer. */
  close(): void {
    this.#closed = true
    for (const waiter of this.#waiters) waiter.reject(this.#closedError(waiter))
    this.#waiters = []
  }

  #wait(of: Waiter['of'], count: number): Promise<Notification[]> {
    const { promise, resolve, reject } = Promise.withResolvers<Notification[]>()
    const waiter = { of, count, resolve, reject }
    if (this.#reached(waiter)) resolve(this.#kept(waiter))
    else if (this.#closed) reject(this.#closedError(waiter))
    else this.#waiters.push(waiter)
    // A test that failed before it came to await this one must not bring its process down as well.
    promise.catch(() => undefined)
    return promise
  }

  #wake(): void {
    const due = this.#waiters.filter((waiter) => this.#reached(waiter))
    if (due.length === 0) return
    this.#waiters = this.#waiters.filter((waiter) => !due.includes(waiter))
    for (const waiter of due) waiter.resolve(this.#kept(waiter))
  }

  #reached(waiter: Waiter): boolean {
    return this.#numberOf(waiter) >= waiter.count
  }

  #numberOf({ of }: Waiter): number {
    return of === 'accepted' ? this.#acceptedSinceClear : this.#answersTotal
  }

  #kept({ of }: Waiter): Notification[] {
    return of === 'accepted' ? this.accepted() : this.answers()
  }

  #closedError(waiter: Waiter): SimulatorError {
    const number = this.#numberOf(waiter)
    const what = waiter.of === 'accepted' ? 'notifications' : 'answers'
    const message = `the simulator was closed with ${number} of ${waiter.count} awaited ${what}`
    return new SimulatorError('CLOSED', message)
  }
}
