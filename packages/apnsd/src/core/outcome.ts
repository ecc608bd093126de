/**
 * What became of a notification. Every one ends in exactly one of these; `waiting` is before the end.
 * - `accepted`: Apple answered 200. The device may still never get it.
 * - `rejected`: Apple's answer, with its reason verbatim.
 * - `expired`: its time ran out while it waited here.
 * - `cancelled`: somebody took it back before it was sent.
 * - `failed`: no answer after all attempts.
 */
export const STATES = ['waiting', 'accepted', 'rejected', 'expired', 'cancelled', 'failed'] as const
export type State = (typeof STATES)[number]
export type FinalState = Exclude<State, 'waiting'>

/** What is remembered of an outcome besides its state; nothing for `accepted`, which is nearly all of them. */
export interface OutcomeDetail {
  /** Apple's HTTP status. */
  readonly status?: number
  /** Apple's reason, verbatim; or why no answer came. */
  readonly reason: string
  /** Apple's timestamp with status 410, ms since the epoch. */
  readonly timestampMs?: number
  /** True where the other environment took what the app's own rejected: the device token belongs there. */
  readonly isOtherEnvironment?: true
}

/** What is remembered of a notification that did not end with its first attempt. */
export interface Retry {
  /** Attempts so far. */
  readonly attempts: number
  /** Not again before, ms since the epoch. */
  readonly dueAtMs: number
  /** Why the last attempt was none that ended it: Apple's reason, or what happened on the way. */
  readonly reason: string
}

/** The outcomes of the notifications of one chunk, a byte each, and details of the few that have some. */
export class Outcomes {
  /** Indexes into {@link STATES}. */
  readonly states: Uint8Array
  readonly details: Map<number, OutcomeDetail>
  /** Of those that wait for another attempt, and of those that ended with a later one than their first. */
  readonly retries: Map<number, Retry>
  #waiting: number

  constructor(
    states: Uint8Array,
    details = new Map<number, OutcomeDetail>(),
    retries = new Map<number, Retry>(),
  ) {
    this.states = states
    this.details = details
    this.retries = retries
    this.#waiting = states.reduce((waiting, state) => waiting + (state === 0 ? 1 : 0), 0)
  }

  /** How many have not ended yet. */
  get waiting(): number {
    return this.#waiting
  }

  stateOf(index: number): State {
    return STATES[this.states[index] ?? 0] ?? 'waiting'
  }

  /** How many attempts have been made for one notification. */
  attemptsOf(index: number): number {
    const retry = this.retries.get(index)
    if (retry !== undefined) return retry.attempts
    return usualAttempts(this.stateOf(index))
  }

  /**
   * Ends one notification. An outcome is final: a second one for the same notification is a mistake of ours.
   * @param attempts those made in all, where that is not one for what was sent and none for the rest
   */
  settle(index: number, state: FinalState, detail?: OutcomeDetail, attempts?: number): void {
    if (this.states[index] !== 0) throw new Error(`notification ${index} was settled twice`)
    this.states[index] = STATES.indexOf(state)
    if (detail !== undefined) this.details.set(index, detail)
    if (attempts !== undefined && attempts !== usualAttempts(state))
      this.retries.set(index, { attempts, dueAtMs: 0, reason: '' })
    this.#waiting -= 1
  }

  /** Ends all that wait. */
  settleRest(state: FinalState, detail?: OutcomeDetail): void {
    this.states.forEach((current, index) => {
      if (current === 0) this.settle(index, state, detail)
    })
  }

  /** Notes that one goes on waiting after an attempt, or for a reason that lies outside it. */
  retry(index: number, retry: Retry): void {
    if (this.states[index] !== 0) throw new Error(`notification ${index} has ended`)
    this.retries.set(index, retry)
  }

  /** When the first of those that wait may go, ms since the epoch; 0 where one may go at any time. */
  firstDueMs(): number {
    let first = Number.POSITIVE_INFINITY
    for (let index = 0; index < this.states.length; index += 1) {
      if (this.states[index] !== 0) continue
      const dueAtMs = this.retries.get(index)?.dueAtMs ?? 0
      if (dueAtMs === 0) return 0
      first = Math.min(first, dueAtMs)
    }
    return first === Number.POSITIVE_INFINITY ? 0 : first
  }
}

/** What goes without saying: one attempt for what was sent. */
const usualAttempts = (state: State): number =>
  state === 'accepted' || state === 'rejected' || state === 'failed' ? 1 : 0
