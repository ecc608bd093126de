import { randomFrom } from './random.ts'

/** Chooses at random, and chooses the same for the same seed. */
export class SeededRandom {
  /** From 0 up to 1. */
  readonly next: () => number

  constructor(seed: number) {
    this.next = randomFrom(seed)
  }

  /** A whole number from `low` to `high`. */
  between(low: number, high: number): number {
    return low + Math.floor(this.next() * (high - low + 1))
  }

  /** True that often: 0.1 is once in ten times. */
  chance(share: number): boolean {
    return this.next() < share
  }

  pick<T>(choices: readonly T[]): T {
    const choice = choices[Math.floor(this.next() * choices.length)]
    if (choice === undefined) throw new RangeError('there is nothing to choose from')
    return choice
  }
}

/** The seed in an environment variable, to repeat a run; another one each time where it is not set. */
export function seedFrom(variable: string): number {
  return Number(process.env[variable] ?? Math.floor(Math.random() * 2 ** 31))
}
