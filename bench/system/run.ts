import { runChild } from './child.ts'
import type { Checked } from './contestants/contest.ts'
import type { Counterpart } from './counterpart.ts'
import { BenchError } from './errors.ts'
import { FILES } from './work.ts'

/** What the runs of a benchmark share. */
export interface Stage {
  readonly counterpart: Counterpart
  /** Breaks the benchmark off. */
  readonly signal: AbortSignal
  /** Says what goes on, to whoever waits. */
  readonly say: (line: string) => void
}

/** A run that takes longer has lost an outcome; the slowest took 5 s where it was tried. */
const RUN_DEADLINE_MS = 120_000

export const DEADLINE = { deadlineMs: RUN_DEADLINE_MS }

export interface NodeRun {
  /** The file in contestants/, without `.ts`. */
  readonly script: string
  readonly url: string
  readonly requests: number
  readonly args?: readonly string[]
  readonly nodeOptions?: readonly string[]
  readonly deadlineMs?: number
  readonly onLine?: (line: string) => void
}

/**
 * Runs a Node process of contestants/.
 * @returns the JSON of its last line
 * @throws {BenchError} it failed, or some outcome never came
 */
export async function runNode<Run>({ counterpart, signal }: Stage, run: NodeRun): Promise<Run> {
  const { script, url, requests, args = [], nodeOptions = [], onLine } = run
  const { folder } = counterpart
  const path = new URL(`./contestants/${script}.ts`, import.meta.url).pathname
  const lines = await runChild({
    name: script,
    program: process.execPath,
    args: [...nodeOptions, path, url, String(requests), '--folder', folder, ...args],
    // whatever options this process has, each contestant runs with Node's own
    env: { NODE_EXTRA_CA_CERTS: FILES.authority(folder), NODE_OPTIONS: '' },
    deadlineMs: run.deadlineMs ?? RUN_DEADLINE_MS,
    signal,
    ...(onLine === undefined ? {} : { onLine }),
  })
  const last = lines.at(-1)
  if (last === undefined) throw new BenchError(`${script} printed no result`)
  return JSON.parse(last) as Run
}

/** The runs of one contestant that count, and what was wrong with the others. */
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
  { say, signal }: Stage,
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
