import type { Checked, LatencyRun, ThroughputRun } from '../common/measured.ts'
import { bulkCalls, PER_CALL, singleCalls } from './calls.ts'
import { handIn, percentilesOf } from './hand-in.ts'
import type { MeasuredDaemon } from './measured-daemon.ts'
import { probeNdjson, streamNdjson } from './ndjson.ts'
import { type Stage, withDaemon } from './stage.ts'

/** A run that hands notifications in until the outcome of each is known. */
export interface DaemonRun extends ThroughputRun {
  /** When the last call was answered; outcomes may come later. */
  readonly answeredMs: number
}

export type SingleRun = DaemonRun & LatencyRun

export const BULK_CLIENTS = 4
export const SINGLE_CLIENTS = 64
/** Handed in before the clock starts: Apple is reached then, and the hot code compiled. */
const BULK_WARM_UP = 20_000
const SINGLE_WARM_UP = 2000

const BULK_CALLS = bulkCalls()

/** Hands `requests` notifications in with a thousand to a call, rounded up to whole calls. */
export async function handInBulk(
  { url }: MeasuredDaemon,
  requests: number,
  before?: () => Promise<void>,
): Promise<void> {
  const calls = Math.ceil(requests / PER_CALL)
  const more = before === undefined ? {} : { before }
  await handIn({ url, clients: BULK_CLIENTS, requests: BULK_CALLS, calls, ...more })
}

export function wholeCalls(requests: number): number {
  return Math.ceil(requests / PER_CALL) * PER_CALL
}

export function runBulkXmlRpc(stage: Stage, apnsUrl: string, requests: number): Promise<DaemonRun> {
  return runBulk(stage, apnsUrl, requests, { handInAll: handInBulk })
}

export function runBulkNdjson(stage: Stage, apnsUrl: string, requests: number): Promise<DaemonRun> {
  return runBulk(stage, apnsUrl, requests, {
    prepare: ({ url }) => probeNdjson(url),
    handInAll: ({ url }, count) => streamNdjson(url, count),
  })
}

/** A way to hand many in. */
interface Way {
  readonly prepare?: (daemon: MeasuredDaemon) => Promise<void>
  readonly handInAll: (daemon: MeasuredDaemon, requests: number) => Promise<void>
}

function runBulk(
  stage: Stage,
  apnsUrl: string,
  scaledTo: number,
  { prepare, handInAll }: Way,
): Promise<DaemonRun> {
  const requests = wholeCalls(scaledTo)
  const warmUp = warmUpFor(requests, BULK_WARM_UP)
  return withDaemon(stage, apnsUrl, async (daemon) => {
    await prepare?.(daemon)
    await handInAll(daemon, warmUp)
    await daemon.outcomes(warmUp)
    const usage = await daemon.measure(requests, () => handInAll(daemon, requests))
    return { ...allAccepted(requests), ...usage }
  })
}

export function runSingle(stage: Stage, apnsUrl: string, requests: number): Promise<SingleRun> {
  const calls = singleCalls()
  return withDaemon(stage, apnsUrl, async (daemon) => {
    const common = { url: daemon.url, clients: SINGLE_CLIENTS, requests: calls }
    const warmUp = warmUpFor(requests, SINGLE_WARM_UP)
    await handIn({ ...common, calls: warmUp })
    await daemon.outcomes(warmUp)
    let timesMs: number[] = []
    const usage = await daemon.measure(requests, async () => {
      timesMs = await handIn({ ...common, calls: requests })
    })
    return { ...allAccepted(requests), ...usage, ...percentilesOf(timesMs) }
  })
}

/** `MeasuredDaemon` throws where one was not. */
export function allAccepted(requests: number): Checked {
  return { requests, accepted: requests, fault: null }
}

/** A quick look has no more before the clock than after it. */
function warmUpFor(requests: number, usual: number): number {
  return Math.min(requests, usual)
}
