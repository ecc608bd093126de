/** So many answers are looked back on. */
const WINDOW_ANSWERS = 200
/** Fewer say nothing: an app with a handful of old device tokens is no case of mixed-up environments. */
const LEAST_ANSWERS = 100
/** More than this share of rejected device tokens is no mass uninstalling but a wrong environment or topic. */
const SUSPICIOUS_SHARE = 0.9

/** What a breaker counts: these say that a device token is not of this environment, or not of this topic. */
const SUSPECT_REASONS: ReadonlySet<string> = new Set(['BadDeviceToken', 'DeviceTokenNotForTopic'])

/** True for the reasons of which a spike means a mix-up of ours, not dead devices. */
export function isSuspectReason(reason: string): boolean {
  return SUSPECT_REASONS.has(reason)
}

/**
 * Watches the answers about an app's device tokens, and trips when nearly all of them are rejected: then it is the
 * environment or the topic that is wrong, and to go on would burn a whole campaign.
 *
 *     closed ──at least 100 of the last 200 answers, over 90 % of them suspect──▶ tripped ──reset()──▶ closed
 */
export class DeviceTokenBreaker {
  /** A ring: 1 for a suspect answer. */
  readonly #answers = new Uint8Array(WINDOW_ANSWERS)
  #next = 0
  #count = 0
  #suspects = 0
  #isTripped = false

  get isTripped(): boolean {
    return this.#isTripped
  }

  /** Counts one answer that says something about a device token: taken, or rejected on its account. */
  note(isSuspect: boolean): void {
    const fresh = isSuspect ? 1 : 0
    this.#suspects += fresh - this.#answers[this.#next]!
    this.#answers[this.#next] = fresh
    this.#next = (this.#next + 1) % WINDOW_ANSWERS
    if (this.#count < WINDOW_ANSWERS) this.#count += 1
    if (this.#count >= LEAST_ANSWERS && this.#suspects > this.#count * SUSPICIOUS_SHARE)
      this.#isTripped = true
  }

  /** Starts anew, as if nothing had been answered. */
  reset(): void {
    this.#answers.fill(0)
    this.#next = 0
    this.#count = 0
    this.#suspects = 0
    this.#isTripped = false
  }
}
