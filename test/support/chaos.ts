import type { Fault, Rule, Simulator } from '@apnsd/simulator'
import type { SeededRandom } from './seeded-random.ts'

/** A way to misbehave: how often it is chosen beside the others, and to how many requests in a row it is played at most. */
interface Misdeed {
  readonly weight: number
  readonly most: number
  readonly fault: (random: SeededRandom) => Fault
}

/**
 * What Apple may do to us that is not the end of an app: no 403 that says the credential is bad, and no spike of bad
 * device tokens. What cuts off a whole connection is rare, so that hardly any notification meets three faults: each makes
 * its next wait longer, up to minutes.
 */
const MISDEEDS = {
  unavailable: {
    weight: 3,
    most: 3,
    fault: (random) => later('ServiceUnavailable', random),
  },
  internalError: { weight: 2, most: 3, fault: (random) => later('InternalServerError', random) },
  tooMany: { weight: 3, most: 3, fault: (random) => later('TooManyRequests', random) },
  unregistered: {
    weight: 4,
    most: 5,
    fault: () => ({ type: 'reject', reason: 'Unregistered' }),
  },
  badRequest: { weight: 4, most: 5, fault: () => ({ type: 'reject', reason: 'BadCollapseId' }) },
  refuseStream: { weight: 4, most: 30, fault: () => ({ type: 'refuseStream' }) },
  noAnswer: { weight: 1, most: 2, fault: () => ({ type: 'noAnswer' }) },
  delay: {
    weight: 5,
    most: 50,
    fault: (random) => ({ type: 'delay', ms: random.between(1, 400) }),
  },
  goAway: { weight: 2, most: 1, fault: goAway },
  streamLimit: {
    weight: 3,
    most: 1,
    fault: (random) => ({ type: 'streamLimit', limit: random.pick([1, 10, 100, 1000]) }),
  },
  closeConnection: { weight: 1, most: 1, fault: () => ({ type: 'closeConnection' }) },
} as const satisfies Record<string, Misdeed>

export type MisdeedName = keyof typeof MISDEEDS

const NAMES = Object.entries(MISDEEDS).flatMap(([name, { weight }]) =>
  Array.from({ length: weight }, () => name as MisdeedName),
)

/** Answers between one script and the next. */
const FEWEST_ANSWERS = 300
const MOST_ANSWERS = 1000
const FEWEST_RULES = 2
const MOST_RULES = 6

/** Has a simulator misbehave at random from a seed: plays it another script every so many answers. */
export class Chaos {
  /** How often each misdeed was put into a script. */
  readonly planned = new Map<MisdeedName, number>()
  scripts = 0
  readonly #simulator: Simulator
  readonly #random: SeededRandom
  #answersLeft = 0
  #isOver = false

  constructor(simulator: Simulator, random: SeededRandom) {
    this.#simulator = simulator
    this.#random = random
  }

  /** To be called at each answer. */
  noteAnswer(): void {
    if (this.#isOver) return
    this.#answersLeft -= 1
    if (this.#answersLeft > 0) return
    this.#answersLeft = this.#random.between(FEWEST_ANSWERS, MOST_ANSWERS)
    this.#simulator.play({ rules: this.#nextRules() })
    this.scripts += 1
  }

  /** From now on it behaves. */
  end(): void {
    this.#isOver = true
    this.#simulator.clearScript()
  }

  #nextRules(): Rule[] {
    const count = this.#random.between(FEWEST_RULES, MOST_RULES)
    return Array.from({ length: count }, () => this.#nextRule())
  }

  #nextRule(): Rule {
    const name = this.#random.pick(NAMES)
    const { most, fault }: Misdeed = MISDEEDS[name]
    this.planned.set(name, (this.planned.get(name) ?? 0) + 1)
    return {
      match: { nth: this.#random.between(0, this.#answersLeft) },
      times: this.#random.between(1, most),
      do: fault(this.#random),
    }
  }
}

/** A rejection that asks for another try, at times with a word on when. */
function later(reason: string, random: SeededRandom): Fault {
  const fault = { type: 'reject', reason } as const
  return random.chance(0.5) ? { ...fault, retryAfterS: random.between(0, 2) } : fault
}

function goAway(random: SeededRandom): Fault {
  return {
    type: 'goaway',
    lastStream: random.pick(['this', 'previous']),
    ...(random.chance(0.5) ? { reason: 'Shutdown' } : {}),
  }
}
