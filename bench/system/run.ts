import { runChild } from '../common/child.ts'
import type { Counterpart } from '../common/counterpart.ts'
import { BenchError } from '../common/errors.ts'
import type { RunContext } from '../common/rounds.ts'
import { FILES } from '../common/work.ts'

/** What the runs of a benchmark share. */
export interface Stage extends RunContext {
  readonly counterpart: Counterpart
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
