export interface Summary {
  readonly median: number
  readonly min: number
  readonly max: number
}

/** @param values at least one, in any order */
export function summarize(values: readonly number[]): Summary {
  return { median: median(values), min: Math.min(...values), max: Math.max(...values) }
}

/** The middle value, or the mean of the two in the middle. */
export function median(values: readonly number[]): number {
  const upper = rank(values, Math.floor(values.length / 2) + 1)
  return values.length % 2 === 1 ? upper : (rank(values, values.length / 2) + upper) / 2
}

/** The smallest value that at least `percent` of all do not exceed (nearest rank). */
export function percentile(values: readonly number[], percent: number): number {
  return rank(values, Math.max(1, Math.ceil((percent / 100) * values.length)))
}

/** The value at a place, counted from 1, when they stand in order. */
function rank(values: readonly number[], place: number): number {
  const value = [...values].sort((a, b) => a - b)[place - 1]
  if (value === undefined) throw new RangeError('there is nothing to summarize')
  return value
}
