import { mkdirSync, readdirSync, rmSync, statSync } from 'node:fs'
import { join } from 'node:path'
import type { Checked, Usage } from '../common/measured.ts'
import type { StageFolder } from '../common/stage-folder.ts'
import { type Arrivals, startArrivals } from './arrivals.ts'
import { allAccepted, BULK_CLIENTS, wholeCalls } from './bulk.ts'
import { bulkCalls, checkXmlRpcAnswer, multicalls, PER_CALL, singleCall } from './calls.ts'
import { handIn } from './hand-in.ts'
import { HttpConnection } from './http-connection.ts'
import { markedDeviceToken } from './marked.ts'
import { MeasuredDaemon } from './measured-daemon.ts'
import { readSettledRss } from './settled-rss.ts'
import { dataFolderOf, provision, type Stage, startDaemon } from './stage.ts'

/** How those that wait were handed in: a thousand to a `notify`, or one to each `notify` of a `system.multicall`. */
export type Filling = 'bulk' | 'singles'

/** What it takes to hold many notifications while Apple is out of reach, and to start with them. */
export interface WaitingRun extends Checked {
  readonly enqueuedPerSecond: number
  /** Once it has settled, with all waiting. */
  readonly rssBytes: number
  readonly peakRssBytes: number
  readonly diskBytes: number
  /** Of a daemon that is started on them, after a SIGKILL. */
  readonly start: {
    /** From the start of the process to the line that says that it serves. */
    readonly readyMs: number
    /** From the start of the process to the answer to a first call. */
    readonly takenMs: number
    readonly rssBytes: number
  }
  /** When Apple was back: all that waited, to the last outcome. */
  readonly delivery: Usage
}

const CALLS: Readonly<Record<Filling, () => Buffer[]>> = { bulk: bulkCalls, singles: multicalls }

/**
 * Reaches Apple once, since `notify` queues only then; ends the counterpart; hands all in; kills the daemon and starts
 * it again; and in the end brings the counterpart back, so that each must be accepted.
 */
export async function runWaiting(
  stage: Stage,
  files: StageFolder,
  filling: Filling,
  scaledTo: number,
): Promise<WaitingRun> {
  const requests = wholeCalls(scaledTo)
  const dataFolder = dataFolderOf(stage)
  let daemon: MeasuredDaemon | undefined
  let apple: Arrivals | undefined
  try {
    mkdirSync(dataFolder)
    apple = await startArrivals(files, 0)
    daemon = await startDaemon(stage, apple.url)
    await provision(daemon.url, stage.folder)
    await notifyOne(daemon.url, 0)
    await daemon.outcomes(1)
    await apple.stop()

    const filled = await fill(daemon, filling, requests)
    const rssBytes = await readSettledRss(daemon.pid, stage.signal)
    const { peakRssBytes } = daemon
    const diskBytes = sizeOf(dataFolder)
    await daemon.kill()

    daemon = await startDaemon(stage, apple.url)
    const { readyMs } = daemon
    await notifyOne(daemon.url, 1)
    const takenMs = daemon.ageMs
    const start = { readyMs, takenMs, rssBytes: await readSettledRss(daemon.pid, stage.signal) }

    const clock = daemon.startClock()
    apple = await startArrivals(files, 0, apple.port)
    await daemon.outcomes(requests + 1)
    const delivery = clock.read()
    await daemon.stop()
    daemon.checkOutcomes(requests + 1)
    return {
      ...allAccepted(requests),
      ...filled,
      rssBytes,
      peakRssBytes,
      diskBytes,
      start,
      delivery,
    }
  } finally {
    await daemon?.kill()
    await apple?.stop()
    rmSync(dataFolder, { recursive: true, force: true })
  }
}

async function notifyOne(url: string, number: number): Promise<void> {
  const connection = await HttpConnection.open(url)
  checkXmlRpcAnswer(await connection.exchange(singleCall(markedDeviceToken(number), number)))
  connection.close()
}

async function fill(
  { url }: MeasuredDaemon,
  filling: Filling,
  requests: number,
): Promise<{ enqueuedPerSecond: number }> {
  const startMs = performance.now()
  const calls = requests / PER_CALL
  await handIn({ url, clients: BULK_CLIENTS, requests: CALLS[filling](), calls })
  return { enqueuedPerSecond: (requests / (performance.now() - startMs)) * 1000 }
}

function sizeOf(folder: string): number {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .map((name) => statSync(join(folder, name)))
    .filter((stats) => stats.isFile())
    .reduce((sum, { size }) => sum + size, 0)
}
