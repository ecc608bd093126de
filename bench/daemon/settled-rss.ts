import { setTimeout as sleep } from 'node:timers/promises'
import { readRssBytes } from '../common/process-usage.ts'
import { median } from '../common/statistics.ts'

const SAMPLE_MS = 500
/** Looked at together: two seconds. */
const WINDOW = 4
/** Memory has settled when the samples of the window differ by less. */
const SETTLED_WITHIN = 0.01
const GIVES_UP_AFTER = 60

/** The resident memory of a process that has nothing more to do, once it changes no more; after 30 s as it is. */
export async function readSettledRss(pid: number, signal: AbortSignal): Promise<number> {
  const samples: number[] = []
  while (samples.length < GIVES_UP_AFTER) {
    await sleep(SAMPLE_MS, undefined, { signal })
    samples.push(readRssBytes(pid))
    const window = samples.slice(-WINDOW)
    const range = Math.max(...window) - Math.min(...window)
    if (window.length === WINDOW && range <= SETTLED_WITHIN * median(window)) break
  }
  return median(samples.slice(-WINDOW))
}
