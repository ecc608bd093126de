/** What is wrong with an outcome, without device tokens; null: it was answered 200, on its own stream. */
export type Fault = string | null

const PENDING = 1
const SETTLED = 0

/** Notes the outcome of each notification of a run, so that a number counts only when every outcome was good. */
export class Ledger {
  /** Resolves when each has its outcome. */
  readonly done: Promise<void>
  readonly count: number
  accepted = 0
  /** The first thing that went wrong. */
  fault: Fault = null
  #left: number
  /** By index. Written at birth, so that its memory does not grow in the course of a run. */
  readonly #states: Uint8Array
  readonly #resolve: () => void
  readonly #onSettled: ((settled: number) => void) | undefined

  /** @param onSettled called after each outcome with how many there are */
  constructor(count: number, onSettled?: (settled: number) => void) {
    const { promise, resolve } = Promise.withResolvers<void>()
    this.done = promise
    this.count = count
    this.#left = count
    this.#states = new Uint8Array(count).fill(PENDING)
    this.#resolve = resolve
    this.#onSettled = onSettled
    if (count === 0) resolve()
  }

  /** Notes what became of the notification at `index`. A second outcome for the same one is a fault. */
  settle(index: number, fault: Fault): void {
    if (this.#states[index] !== PENDING) {
      this.fault ??= `an outcome came for ${index}, which had one or was never sent`
      return
    }
    this.#states[index] = SETTLED
    this.#left -= 1
    if (fault === null) this.accepted += 1
    else this.fault ??= fault
    this.#onSettled?.(this.count - this.#left)
    if (this.#left === 0) this.#resolve()
  }
}
