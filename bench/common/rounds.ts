import { BenchError } from './errors.ts'
import type { Checked } from './measured.ts'

/** What all runs of a benchmark are told. */
export interface RunContext {
  /** Breaks the benchmark off. */
  readonly signal: AbortSignal
  /** Says what goes on, to whoever waits. */
  readonly say: (line: string) => void
}

/** The runs of one name that count, and what was wrong with the others. */
export interface Runs<Run> {
  readonly good: Run[]
  readonly refused: string[]
}

/** Says why a run does not count; null: every notification was answered 200, once. */
export function refusalOf({ requests, accepted, fault }: Checked): string | null {
  if (accepted === requests) return fault
  return `${requests - accepted} of ${requests} were not answered 200; first: ${fault ?? 'no outcome'}`
}

/**
 * Gives each of `names` its turn in each round, another one first each time.
 * A run in which any outcome was not good does not count.
 */
export async function runRounds<Name extends string, Run extends Checked>(
  { say, signal }: RunContext,
  rounds: number,
  names: readonly Name[],
  start: (name: Name) => Promise<Run>,
  describe: (run: Run) => string,
): Promise<ReadonlyMap<Name, Runs<Run>>> {
  const all = new Map(names.map((name): [Name, Runs<Run>] => [name, { good: [], refused: [] }]))
  for (let round = 0; round < rounds; round += 1)
    for (const [name, runs] of rotate([...all], round)) {
      const run = await attempt(start, name)
      signal.throwIfAborted()
      const refusal = typeof run === 'string' ? run : refusalOf(run)
      if (typeof run !== 'string' && refusal === null) runs.good.push(run)
      else runs.refused.push(`${name}: ${refusal}`)
      const what = typeof run === 'string' || refusal !== null ? refusal : describe(run)
      say(`round ${round + 1} of ${rounds}: ${name}: ${what}`)
    }
  return all
}

/** @returns what it was, or why it failed */
async function attempt<Name, Run>(
  start: (name: Name) => Promise<Run>,
  name: Name,
): Promise<Run | string> {
  try {
    return await start(name)
  } catch (error) {
    if (error instanceof BenchError) return error.message
    throw error
  }
}

function rotate<Item>(items: readonly Item[], by: number): Item[] {
  const start = by % items.length
  return [...items.slice(start), ...items.slice(0, start)]
}

/** For the rows of a table that a contestant got none of its runs into. */
export function refusalsOf<Run>(all: ReadonlyMap<string, Runs<Run>>): string[] {
  return [...all.values()].flatMap(({ refused }) => refused)
}
