import type { ThroughputRun } from './contestants/contest.ts'
import { CONTESTANTS, type ContestantName } from './contestants.ts'
import { runH2load } from './h2load.ts'
import { DEADLINE, type Runs, refusalsOf, runNode, runRounds, type Stage } from './run.ts'
import { type Summary, summarize } from './statistics.ts'
import { IN_FLIGHT } from './work.ts'

/** The lowest and the highest of the runs. */
export type Spread = Omit<Summary, 'median'>

/** Medians of one contestant's runs. */
export interface Row {
  readonly name: ContestantName
  readonly requestsPerSecond: number
  readonly cpuMicrosecondsPerRequest: number
  readonly peakRssBytes: number
  /** How many runs the medians are of. */
  readonly runs: number
  readonly spread: {
    readonly requestsPerSecond: Spread
    readonly cpuMicrosecondsPerRequest: Spread
    readonly peakRssBytes: Spread
  }
  /** In each run. */
  readonly requests: number
}

export interface Measured<OneRow> {
  readonly rows: readonly OneRow[]
  /** A sentence for each run that does not count. */
  readonly refused: readonly string[]
}

/** Fewer show nothing but the start. */
const LEAST_REQUESTS = 200

export async function measureThroughput(
  stage: Stage,
  names: readonly ContestantName[],
  rounds: number,
  scale: number,
): Promise<Measured<Row>> {
  const all = await runRounds(
    stage,
    rounds,
    names,
    (name) => runOne(stage, name, scaled(CONTESTANTS[name].requests, scale)),
    (run) => `${Math.round(perSecond(run))}/s`,
  )
  const rows = [...all]
    .filter(([, { good }]) => good.length > 0)
    .map(([name, runs]) => summarizeRuns(name, runs))
  return { rows, refused: refusalsOf(all) }
}

export function runOne(
  stage: Stage,
  name: ContestantName,
  requests: number,
): Promise<ThroughputRun> {
  const { counterpart, signal } = stage
  const { url, folder } = counterpart
  if (name === 'h2load')
    return runH2load({
      ...{ url, folder, requests, signal },
      ...{ connections: 1, streams: IN_FLIGHT },
      ...DEADLINE,
    })
  return runNode(stage, { script: name, url, requests })
}

export function scaled(requests: number, scale: number): number {
  return Math.max(LEAST_REQUESTS, Math.round(requests * scale))
}

export function perSecond({ requests, elapsedMs }: ThroughputRun): number {
  return (requests / elapsedMs) * 1000
}

export function cpuPerRequest({ requests, cpuMicroseconds }: ThroughputRun): number {
  return cpuMicroseconds / requests
}

function summarizeRuns(name: ContestantName, { good }: Runs<ThroughputRun>): Row {
  const rate = summarize(good.map(perSecond))
  const cpu = summarize(good.map(cpuPerRequest))
  const memory = summarize(good.map(({ peakRssBytes }) => peakRssBytes))
  return {
    name,
    requestsPerSecond: rate.median,
    cpuMicrosecondsPerRequest: cpu.median,
    peakRssBytes: memory.median,
    runs: good.length,
    spread: {
      requestsPerSecond: spreadOf(rate),
      cpuMicrosecondsPerRequest: spreadOf(cpu),
      peakRssBytes: spreadOf(memory),
    },
    requests: good[0]?.requests ?? 0,
  }
}

export function spreadOf({ min, max }: Summary): Spread {
  return { min, max }
}
