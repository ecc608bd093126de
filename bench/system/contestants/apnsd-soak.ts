import type { Checked, Usage } from '../../common/measured.ts'
/**
 * @apnsd/apns over millions of notifications, in sources of a thousand as the daemon hands them over. Prints a line of
 * JSON, {@link MemorySample}, for every so many, and {@link SoakRun} at the end. Run with --expose-gc.
 */
import { Ledger } from '../ledger.ts'
import { connectClient, sourceOf } from './apnsd-parts.ts'
import { check, measureUsage, printLine, readArguments } from './contest.ts'

export interface MemorySample {
  readonly settled: number
  readonly rssBytes: number
  /** After a full collection of garbage. */
  readonly heapUsedBytes: number
  /** Buffers, and what else lies outside of the heap and belongs to it. */
  readonly externalBytes: number
}

export interface SoakRun extends Checked, Usage {}

const SOURCE_LENGTH = 1000
/** So many samples in a soak, evenly spread. */
const SAMPLES = 20

const { parts, requests } = readArguments()
const collectGarbage = globalThis.gc
if (collectGarbage === undefined) throw new Error('run it with node --expose-gc')
const client = await connectClient(parts, { maxConnections: 1 })

const sampleInterval = Math.max(1, Math.floor(requests / SAMPLES))
const ledger = new Ledger(requests, (settled) => {
  // not within the client's own work, whose stack may still hold what it is done with
  if (settled % sampleInterval === 0) setImmediate(() => sample(settled))
})

const usage = await measureUsage(async () => {
  for (let start = 0; start < requests; start += SOURCE_LENGTH) {
    await client.room()
    client.submit(sourceOf(ledger, start, Math.min(requests, start + SOURCE_LENGTH)))
  }
  await ledger.done
})
const run: SoakRun = { ...check(ledger), ...usage }
setImmediate(() => printLine(run)) // after the last sample
await client.close()

function sample(settled: number): void {
  collectGarbage?.()
  const { rss, heapUsed, external } = process.memoryUsage()
  const memory: MemorySample = {
    settled,
    rssBytes: rss,
    heapUsedBytes: heapUsed,
    externalBytes: external,
  }
  printLine(memory)
}
