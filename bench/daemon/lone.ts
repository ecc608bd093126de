import type { LatencyRun } from '../common/measured.ts'
import type { StageFolder } from '../common/stage-folder.ts'
import { startArrivals } from './arrivals.ts'
import { allAccepted } from './bulk.ts'
import { checkXmlRpcAnswer, singleCall } from './calls.ts'
import { percentilesOf } from './hand-in.ts'
import { HttpConnection } from './http-connection.ts'
import { markedDeviceToken } from './marked.ts'
import { type Stage, withDaemon } from './stage.ts'

const WARM_UP = 200

/**
 * Hands single notifications in one after another, each when the one before was answered and has arrived, and times
 * each from the call to its arrival at the counterpart.
 */
export async function runLone(
  stage: Stage,
  files: StageFolder,
  requests: number,
): Promise<LatencyRun> {
  const arrivals = await startArrivals(files, 0)
  try {
    return await withDaemon(stage, arrivals.url, async (daemon) => {
      const connection = await HttpConnection.open(daemon.url)
      const timesMs: number[] = []
      for (let number = 0; number < WARM_UP + requests; number += 1) {
        const request = singleCall(markedDeviceToken(number), number)
        const start = process.hrtime.bigint()
        const [answer, arrival] = await Promise.all([
          connection.exchange(request),
          arrivals.arrivalOf(number),
        ])
        checkXmlRpcAnswer(answer)
        if (number >= WARM_UP) timesMs.push(millisecondsBetween(start, arrival))
      }
      connection.close()
      await daemon.outcomes(WARM_UP + requests)
      return { ...allAccepted(requests), ...percentilesOf(timesMs) }
    })
  } finally {
    await arrivals.stop()
  }
}

const NANOSECONDS_PER_MS = 1e6

/** Of two readings of `process.hrtime.bigint()`, which all processes of a machine share. */
export function millisecondsBetween(start: bigint, end: bigint): number {
  return Number(end - start) / NANOSECONDS_PER_MS
}
