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

/** What is remembered of an outcome besides its state; nothing for `accepted`, which is nearly all of them. */
export interface OutcomeDetail {
  /** Apple's HTTP status. */
  readonly status?: number
  /** Apple's reason, verbatim; or why no answer came. */
  readonly reason: string
  /** Apple's timestamp with status 410, ms since the epoch. */
  readonly timestampMs?: number
  /** True where a breaker has tripped: says nothing about the device. */
  readonly suspect?: boolean
}

/** The outcomes of the notifications of one chunk, a byte each, and details of the few that have some. */
export class Outcomes {
  /** Indexes into {@link STATES}. */
  readonly states: Uint8Array
  readonly details: Map<number, OutcomeDetail>
  #waiting: number

  constructor(states: Uint8Array, details = new Map<number, OutcomeDetail>()) {
    this.states = states
    this.details = details
    this.#waiting = states.reduce((waiting, state) => waiting + (state === 0 ? 1 : 0), 0)
  }

  /** How many have not ended yet. */
  get waiting(): number {
    return this.#waiting
  }

  stateOf(index: number): State {
    return STATES[this.states[index] ?? 0] ?? 'waiting'
  }

  /**
   * Ends one notification. An outcome is final: a second one for the same notification is a mistake of ours.
   */
  settle(index: number, state: Exclude<State, 'waiting'>, detail?: OutcomeDetail): void {
    if (this.states[index] !== 0) throw new Error(`notification ${index} was settled twice`)
    this.states[index] = STATES.indexOf(state)
    if (detail !== undefined) this.details.set(index, detail)
    this.#waiting -= 1
  }
}
