import type { LatencyRun } from './contestants/contest.ts'
import type { ContestantName } from './contestants.ts'
import { runH2loadLone } from './h2load.ts'
import { DEADLINE, refusalsOf, runNode, runRounds, type Stage } from './run.ts'
import { summarize } from './statistics.ts'
import { type Measured, type Spread, scaled, spreadOf } from './throughput.ts'

/** One notification at a time, from call to outcome: medians over the rounds of each round's p50 and p99. */
export interface LatencyRow {
  readonly name: ContestantName
  readonly p50Ms: number
  readonly p99Ms: number
  readonly runs: number
  readonly spread: { readonly p50Ms: Spread; readonly p99Ms: Spread }
}

const LONE_REQUESTS = 2000
const H2LOAD_WARM_UP = 200

export async function measureLatency(
  stage: Stage,
  names: readonly ContestantName[],
  rounds: number,
  scale: number,
): Promise<Measured<LatencyRow>> {
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
    .map(([name, { good }]): LatencyRow => {
      const p50 = summarize(good.map(({ p50Ms }) => p50Ms))
      const p99 = summarize(good.map(({ p99Ms }) => p99Ms))
      return {
        name,
        p50Ms: p50.median,
        p99Ms: p99.median,
        runs: good.length,
        spread: { p50Ms: spreadOf(p50), p99Ms: spreadOf(p99) },
      }
    })
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
