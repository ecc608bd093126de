import type { Log } from '../base/log.ts'
import type { Clock } from './ports.ts'

/** What is wrong with one part of the daemon. */
export interface HealthProblem {
  /** An error's code, or what stands for one: stable, for machines. */
  readonly code: string
  /** For people: a sentence that may be shown to anybody who can reach the daemon. */
  readonly detail: string
  /** ms since the epoch. Kept from the first report while the code stays the same. */
  readonly sinceMs: number
  /** What led here, for the log only. */
  readonly cause?: unknown
}

export interface HealthWeight {
  /** True where the daemon cannot take or send anything: it is not ready then. */
  readonly isFatal: boolean
}

/** Numbers and words about one part, as `GET /readyz` shows them. */
export type HealthFacts = Readonly<Record<string, string | number | boolean | null>>

/** One problem as the view has it. */
export interface ProblemView {
  readonly check: string
  readonly code: string
  readonly detail: string
  readonly sinceMs: number
  readonly isFatal: boolean
}

export interface HealthView {
  readonly status: 'ready' | 'not ready' | 'draining'
  /** The fatal ones first, then by the time since when they are there. */
  readonly problems: readonly ProblemView[]
  /** By part: `storage`, `queue`, `apps`. */
  readonly facts: Readonly<Record<string, HealthFacts>>
}

interface Standing extends HealthProblem, HealthWeight {}

/**
 * Whether the daemon can take notifications and send them, and what is wrong if not.
 *
 * A set of named checks. The parts report into it when something changes; nobody is asked but for facts. A check that has
 * never been reported passes. Each change is one line in the log, however often the same is reported.
 */
export class Health {
  readonly #log: Log
  readonly #clock: Clock
  readonly #standing = new Map<string, Standing>()
  readonly #facts = new Map<string, () => HealthFacts>()
  #isDraining = false

  constructor(log: Log, clock: Clock) {
    this.#log = log
    this.#clock = clock
  }

  /**
   * Reports what is wrong with a part, or with null that nothing is.
   * @param name of the check, such as `storage` or `app myapp`; one problem stands for each at a time
   */
  set(name: string, problem: HealthProblem | null, weight: HealthWeight): void {
    const standing = this.#standing.get(name)
    if (problem === null) {
      if (standing === undefined) return
      this.#standing.delete(name)
      this.#tellPassed(name, standing)
      return
    }
    const isSame = standing?.code === problem.code && standing.isFatal === weight.isFatal
    const sinceMs = isSame ? standing.sinceMs : problem.sinceMs
    this.#standing.set(name, { ...problem, ...weight, sinceMs })
    if (!isSame) this.#tellFailed(name, problem, weight)
  }

  /**
   * Adds facts about a part to the view.
   * @param read called for each view; what it throws is shown as no facts
   */
  describe(part: string, read: () => HealthFacts): void {
    this.#facts.set(part, read)
  }

  /** From now on the daemon is not ready, whatever the checks say: it shuts down. */
  drain(): void {
    this.#isDraining = true
  }

  view(): HealthView {
    const problems = Array.from(this.#standing, ([check, { code, detail, sinceMs, isFatal }]) => ({
      check,
      code,
      detail,
      sinceMs,
      isFatal,
    })).sort(
      (one, other) => Number(other.isFatal) - Number(one.isFatal) || one.sinceMs - other.sinceMs,
    )
    const isFailing = problems.some(({ isFatal }) => isFatal)
    return {
      status: this.#isDraining ? 'draining' : isFailing ? 'not ready' : 'ready',
      problems,
      facts: Object.fromEntries(
        Array.from(this.#facts, ([part, read]) => [part, readOrNone(read)] as const),
      ),
    }
  }

  #tellFailed(check: string, { code, detail, cause }: HealthProblem, weight: HealthWeight): void {
    const fields = { check, code, detail, ...(cause === undefined ? {} : { err: cause }) }
    this.#log[weight.isFatal ? 'error' : 'warn'](fields, 'a check fails')
  }

  #tellPassed(check: string, { code, sinceMs }: Standing): void {
    const lastedS = Math.round((this.#clock.now() - sinceMs) / 1000)
    this.#log.info({ check, code, lastedS }, 'a check passes again')
  }
}

function readOrNone(read: () => HealthFacts): HealthFacts {
  try {
    return read()
  } catch {
    return {}
  }
}
