import {
  type LatencyRow,
  type LatencyRun,
  type Measured,
  scaled,
  summarizeLatency,
} from '../common/measured.ts'
import { refusalsOf, runRounds } from '../common/rounds.ts'
import type { ContestantName } from './contestants.ts'
import { runH2loadLone } from './h2load.ts'
import { DEADLINE, runNode, type Stage } from './run.ts'

const LONE_REQUESTS = 2000
const H2LOAD_WARM_UP = 200

/** One notification at a time, from call to outcome. */
export async function measureLatency(
  stage: Stage,
  names: readonly ContestantName[],
  rounds: number,
  scale: number,
): Promise<Measured<LatencyRow<ContestantName>>> {
  const requests = scaled(LONE_REQUESTS, scale)
  const all = await runRounds(
    stage,
    rounds,
    names,
    (name) => runOne(stage, name, requests),
    ({ p50Ms, p99Ms }) => `a lone one ${p50Ms.toFixed(2)} ms, p99 ${p99Ms.toFixed(2)} ms`,
  )
  const rows = [...all]
    .filter(([, { good }]) => good.length > 0)
    .map(([name, { good }]) => summarizeLatency(name, good))
  return { rows, refused: refusalsOf(all) }
}

function runOne(stage: Stage, name: ContestantName, requests: number): Promise<LatencyRun> {
  const { counterpart, signal } = stage
  const { url, folder } = counterpart
  if (name === 'h2load')
    return runH2loadLone(
      { url, folder, requests, signal, connections: 1, streams: 1, ...DEADLINE },
      H2LOAD_WARM_UP,
    )
  return runNode(stage, { script: name, url, requests, args: ['--measure', 'latency'] })
}
