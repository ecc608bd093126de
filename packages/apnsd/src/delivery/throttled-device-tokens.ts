/** More are not remembered: the oldest is let go, and may be answered TooManyRequests once more. */
const MOST = 10_000

/** Device tokens that Apple has had too many notifications for: nothing more goes to them for a while. */
export class ThrottledDeviceTokens {
  /** Until when, ms since the epoch; a map keeps the order in which they came. */
  readonly #untilMs = new Map<string, number>()

  get isEmpty(): boolean {
    return this.#untilMs.size === 0
  }

  add(deviceToken: string, untilMs: number): void {
    this.#untilMs.delete(deviceToken)
    this.#untilMs.set(deviceToken, untilMs)
    if (this.#untilMs.size <= MOST) return
    const [oldest] = this.#untilMs.keys()
    if (oldest !== undefined) this.#untilMs.delete(oldest)
  }

  /** Until when nothing is to go to it, ms since the epoch; null: it may. */
  untilMs(deviceToken: string, nowMs: number): number | null {
    const untilMs = this.#untilMs.get(deviceToken)
    if (untilMs === undefined) return null
    if (untilMs > nowMs) return untilMs
    this.#untilMs.delete(deviceToken)
    return null
  }
}
