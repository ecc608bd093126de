import { allAccepted, type DaemonRun, handInBulk, wholeCalls } from './bulk.ts'
import { PER_CALL } from './calls.ts'
import { readSettledRss } from './settled-rss.ts'
import { type Stage, withDaemon } from './stage.ts'

/** What memory is when very many have passed. */
export interface PassedRun extends DaemonRun {
  readonly rssBytes: number
}

/** No more wait than this, so that it is not the waiting ones that are measured. */
const MOST_WAITING = 200_000
const SAY_EVERY = 1_000_000

export function runPassed(stage: Stage, apnsUrl: string, scaledTo: number): Promise<PassedRun> {
  const requests = wholeCalls(scaledTo)
  return withDaemon(stage, apnsUrl, async (daemon) => {
    let handedIn = 0
    const before = async (): Promise<void> => {
      handedIn += PER_CALL
      if (handedIn % SAY_EVERY === 0)
        stage.say(`${handedIn} of ${requests}: ${Math.round(daemon.rssBytes / 1e6)} MB`)
      while (handedIn - daemon.accepted > MOST_WAITING) await daemon.moreOutcomes()
    }
    const usage = await daemon.measure(requests, () => handInBulk(daemon, requests, before))
    const rssBytes = await readSettledRss(daemon.pid, stage.signal)
    return { ...allAccepted(requests), ...usage, rssBytes }
  })
}
