import {
  cpuPerRequest,
  type Measured,
  perSecond,
  type Spread,
  scaled,
  spreadOf,
  type ThroughputRun,
} from '../common/measured.ts'
import { refusalsOf, runRounds } from '../common/rounds.ts'
import { median, summarize } from '../common/statistics.ts'
import { IN_FLIGHT } from '../common/work.ts'
import type { PoolRun } from './contestants/apnsd-pool.ts'
import type { ContestantName } from './contestants.ts'
import { runH2load } from './h2load.ts'
import { type Relay, startRelay } from './relay.ts'
import { DEADLINE, runNode, type Stage } from './run.ts'

/** A contestant behind a relay that sets the reply time. */
export interface PoolRow {
  /** apnsd with its pool as it comes, or h2load with as many connections as the pool may have: what the relay carries. */
  readonly name: ContestantName
  readonly replyTimeMs: number
  /** What a lone notification took before the load; null: not asked. */
  readonly loneReplyMs: number | null
  /** The growth of the pool included. */
  readonly requestsPerSecond: number
  /** Over the last quarter of the notifications; null: not asked. */
  readonly grownRequestsPerSecond: number | null
  readonly cpuMicrosecondsPerRequest: number
  readonly connections: number
  readonly runs: number
  readonly spread: { readonly requestsPerSecond: Spread; readonly connections: Spread }
}

type Run = ThroughputRun &
  Partial<Pick<PoolRun, 'loneReplyMs' | 'grownRequestsPerSecond'>> & {
    readonly connections: number
  }

const POOL_CONTESTANTS: readonly ContestantName[] = ['apnsd', 'h2load']
const H2LOAD_CONNECTIONS = 16
const REQUESTS = 300_000
const CEILING_REQUESTS = 200_000
/** Half as many at this reply time: the windows let through less a second, and a run is to stay below ten seconds. */
const HALVED_AT_MS = 150

export async function measurePool(
  stage: Stage,
  names: readonly ContestantName[],
  replyTimesMs: readonly number[],
  rounds: number,
  scale: number,
): Promise<Measured<PoolRow>> {
  const contestants = POOL_CONTESTANTS.filter((name) => names.includes(name))
  const cases = new Map<string, Pick<PoolRow, 'name' | 'replyTimeMs'>>(
    replyTimesMs.flatMap((replyTimeMs) =>
      contestants.map((name) => [`${name} at ${replyTimeMs} ms`, { name, replyTimeMs }] as const),
    ),
  )
  const relays = new Map<number, Relay>()
  try {
    for (const replyTimeMs of replyTimesMs)
      relays.set(replyTimeMs, await startRelay(stage.counterpart.port, replyTimeMs))
    const all = await runRounds<string, Run>(
      stage,
      rounds,
      [...cases.keys()],
      (key) => {
        const { name, replyTimeMs } = known(cases.get(key))
        const { url } = known(relays.get(replyTimeMs))
        return runOne(stage, name, url, replyTimeMs, scale)
      },
      (run) => `${Math.round(perSecond(run))}/s over ${run.connections} connections`,
    )
    const rows = [...all]
      .filter(([, { good }]) => good.length > 0)
      .map(([key, { good }]) => ({ ...known(cases.get(key)), ...summarizeRuns(good) }))
    return { rows, refused: refusalsOf(all) }
  } finally {
    await Promise.all([...relays.values()].map((relay) => relay.stop()))
  }
}

function known<Value>(value: Value | undefined): Value {
  if (value === undefined) throw new Error('no such case')
  return value
}

async function runOne(
  stage: Stage,
  name: ContestantName,
  url: string,
  replyTimeMs: number,
  scale: number,
): Promise<Run> {
  if (name === 'apnsd') {
    const requests = scaled(REQUESTS, scale * shareAt(replyTimeMs))
    return runNode<PoolRun>(stage, { script: 'apnsd-pool', url, requests })
  }
  const { counterpart, signal } = stage
  const connections = H2LOAD_CONNECTIONS
  const run = await runH2load({
    ...{ url, folder: counterpart.folder, signal, connections, streams: IN_FLIGHT },
    requests: scaled(CEILING_REQUESTS, scale * shareAt(replyTimeMs)),
    ...DEADLINE,
  })
  return { ...run, connections }
}

function shareAt(replyTimeMs: number): number {
  return HALVED_AT_MS / (HALVED_AT_MS + replyTimeMs)
}

function summarizeRuns(good: readonly Run[]): Omit<PoolRow, 'name' | 'replyTimeMs'> {
  const rate = summarize(good.map(perSecond))
  const connections = summarize(good.map((run) => run.connections))
  return {
    loneReplyMs: medianOf(good, ({ loneReplyMs }) => loneReplyMs),
    requestsPerSecond: rate.median,
    grownRequestsPerSecond: medianOf(good, ({ grownRequestsPerSecond }) => grownRequestsPerSecond),
    cpuMicrosecondsPerRequest: median(good.map(cpuPerRequest)),
    connections: connections.median,
    runs: good.length,
    spread: { requestsPerSecond: spreadOf(rate), connections: spreadOf(connections) },
  }
}

/** Null where the runs do not have it. */
function medianOf(runs: readonly Run[], of: (run: Run) => number | undefined): number | null {
  const values = runs.map(of).filter((value) => value !== undefined)
  return values.length > 0 ? median(values) : null
}
