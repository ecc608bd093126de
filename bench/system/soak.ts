import { BenchError } from '../common/errors.ts'
import { cpuPerRequest, perSecond } from '../common/measured.ts'
import { refusalOf } from '../common/rounds.ts'
import { median } from '../common/statistics.ts'
import type { MemorySample, SoakRun } from './contestants/apnsd-soak.ts'
import { runNode, type Stage } from './run.ts'

/** Millions of notifications over one connection, and what memory did meanwhile. */
export interface Soak {
  readonly requests: number
  readonly requestsPerSecond: number
  readonly cpuMicrosecondsPerRequest: number
  readonly peakRssBytes: number
  readonly samples: readonly MemorySample[]
  /** Last quarter to second quarter, medians. */
  readonly rssGrowth: number
  readonly heapGrowth: number
  readonly isFlat: boolean
}

/** Memory is flat where the last quarter's median is at most so much of the second quarter's; the first one warms up. */
export const FLAT_BELOW = 1.1
/** A soak that is slower has lost an outcome. */
const LEAST_PER_SECOND = 10_000
const LEAST_DEADLINE_MS = 120_000
const QUARTERS = 4

export async function measureSoak(stage: Stage, requests: number): Promise<Soak> {
  const samples: MemorySample[] = []
  const run = await runNode<SoakRun>(stage, {
    script: 'apnsd-soak',
    url: stage.counterpart.url,
    requests,
    nodeOptions: ['--expose-gc'],
    deadlineMs: Math.max(LEAST_DEADLINE_MS, (requests / LEAST_PER_SECOND) * 1000),
    onLine: (line) => {
      const sample = JSON.parse(line) as Partial<MemorySample>
      if (!isSample(sample)) return
      samples.push(sample)
      stage.say(`${sample.settled} of ${requests}: ${Math.round(sample.rssBytes / 1e6)} MB`)
    },
  })
  const refusal = refusalOf(run)
  if (refusal !== null) throw new BenchError(`soak: ${refusal}`)
  const rssGrowth = growthOf(samples.map(({ rssBytes }) => rssBytes))
  const heapGrowth = growthOf(samples.map(({ heapUsedBytes }) => heapUsedBytes))
  return {
    requests,
    requestsPerSecond: perSecond(run),
    cpuMicrosecondsPerRequest: cpuPerRequest(run),
    peakRssBytes: run.peakRssBytes,
    samples,
    rssGrowth,
    heapGrowth,
    isFlat: rssGrowth <= FLAT_BELOW && heapGrowth <= FLAT_BELOW,
  }
}

function isSample(line: Partial<MemorySample>): line is MemorySample {
  return line.settled !== undefined
}

/** How the median of the last quarter stands to that of the second. */
export function growthOf(values: readonly number[]): number {
  const quarter = Math.floor(values.length / QUARTERS)
  return median(values.slice(-quarter)) / median(values.slice(quarter, 2 * quarter))
}
