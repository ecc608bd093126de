import { setTimeout as sleep } from 'node:timers/promises'
import type { LatencyRun } from '../common/measured.ts'
import type { StageFolder } from '../common/stage-folder.ts'
import { type Arrivals, startArrivals } from './arrivals.ts'
import { allAccepted, type DaemonRun, handInBulk, wholeCalls } from './bulk.ts'
import { checkXmlRpcAnswer, singleCall } from './calls.ts'
import { percentilesOf } from './hand-in.ts'
import { HttpConnection } from './http-connection.ts'
import { millisecondsBetween } from './lone.ts'
import { markedDeviceToken } from './marked.ts'
import type { MeasuredDaemon } from './measured-daemon.ts'
import { type Stage, withDaemon } from './stage.ts'

/** The campaign's throughput, and how long the urgent ones took from call to arrival. */
export interface UrgentRun extends DaemonRun, LatencyRun {
  readonly urgent: number
}

const EVERY_MS = 50
/** Sent before the campaign, in turn: Apple is reached and the single call's code compiled. */
const WARM_UP = 200

/** Lets a campaign through, and meanwhile hands in a single notification every 50 ms, whatever became of the last. */
export async function runUrgent(
  stage: Stage,
  files: StageFolder,
  replyTimeMs: number,
  scaledTo: number,
): Promise<UrgentRun> {
  const campaign = wholeCalls(scaledTo)
  const arrivals = await startArrivals(files, replyTimeMs)
  try {
    return await withDaemon(stage, arrivals.url, async (daemon) => {
      const urgent = new UrgentCalls(daemon.url, arrivals)
      for (let sent = 0; sent < WARM_UP; sent += 1) await urgent.send()
      await daemon.outcomes(WARM_UP)
      urgent.timesMs.length = 0
      const usage = await runBeside(daemon, urgent, campaign)
      const times = urgent.timesMs
      return {
        ...allAccepted(campaign),
        ...usage,
        ...percentilesOf(times),
        urgent: times.length,
      }
    })
  } finally {
    await arrivals.stop()
  }
}

/**
 * The campaign counts as through when as many outcomes as it has are known. A few of them are urgent ones', which the
 * log does not tell apart: some hundred in a million.
 */
async function runBeside(daemon: MeasuredDaemon, urgent: UrgentCalls, campaign: number) {
  const before = daemon.accepted
  const over = new AbortController()
  const calls = urgent.sendEvery(EVERY_MS, over.signal)
  calls.catch(() => undefined) // waited for below
  const clock = daemon.startClock()
  let usage: ReturnType<typeof clock.read>
  let answeredMs: number
  try {
    await handInBulk(daemon, campaign)
    answeredMs = clock.read().elapsedMs
    while (daemon.accepted - before < campaign) await daemon.moreOutcomes()
    usage = clock.read()
  } finally {
    over.abort()
  }
  await daemon.outcomes(before + campaign + (await calls))
  urgent.close()
  return { ...usage, answeredMs }
}

/** Single calls, each over a connection that has none under way. */
class UrgentCalls {
  readonly timesMs: number[] = []
  readonly #url: string
  readonly #arrivals: Arrivals
  #connections: HttpConnection[] = []
  #next = 0

  constructor(url: string, arrivals: Arrivals) {
    this.#url = url
    this.#arrivals = arrivals
  }

  /** Sends one; resolves when it has arrived and is answered. */
  async send(): Promise<void> {
    const number = this.#next
    this.#next += 1
    const connection = await this.#idleConnection()
    const request = singleCall(markedDeviceToken(number), number)
    const start = process.hrtime.bigint()
    const [answer, arrival] = await Promise.all([
      connection.exchange(request),
      this.#arrivals.arrivalOf(number),
    ])
    checkXmlRpcAnswer(answer)
    this.timesMs.push(millisecondsBetween(start, arrival))
  }

  /** @returns how many it sent until `signal`, when all have arrived */
  async sendEvery(intervalMs: number, signal: AbortSignal): Promise<number> {
    const sent: Promise<void>[] = []
    while (!signal.aborted) {
      const one = this.send()
      one.catch(() => undefined) // waited for below
      sent.push(one)
      await sleep(intervalMs)
    }
    await Promise.all(sent)
    return sent.length
  }

  close(): void {
    for (const connection of this.#connections) connection.close()
  }

  async #idleConnection(): Promise<HttpConnection> {
    const idle = this.#connections.find(({ isIdle }) => isIdle)
    if (idle !== undefined) return idle
    const opened = await HttpConnection.open(this.#url)
    this.#connections.push(opened)
    return opened
  }
}
