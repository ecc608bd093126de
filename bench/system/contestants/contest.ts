/**
 * What every contestant's process does around its library. By hand:
 *
 *     node bench/system/contestants/apnsd.ts https://127.0.0.1:PORT 100000 --folder FOLDER [--measure latency]
 *
 * It prints one line of JSON: {@link ThroughputRun} or {@link LatencyRun}.
 */
import { readFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import type { Checked, LatencyRun, ThroughputRun, Usage } from '../../common/measured.ts'
import { percentile } from '../../common/statistics.ts'
import { FILES, PAYLOAD_BYTES } from '../../common/work.ts'
import { type Fault, Ledger } from '../ledger.ts'

/** What a library needs to reach the counterpart. */
export interface Parts {
  readonly url: URL
  /** PEM */
  readonly authority: string
  /** `.p8`, PEM */
  readonly signingKey: string
}

/** A library that sends notifications, in the way that is fastest with it. */
export interface Contestant {
  /** The bytes of the body that it sends, as it makes it. */
  readonly payloadBytes: number
  /** Sends the notification at `index`; resolves with its outcome, never rejects. */
  send(index: number): Promise<Fault>
  /** Sends as many as the ledger counts, `IN_FLIGHT` at a time, and settles each. */
  sendAll(ledger: Ledger): void
  close(): Promise<void> | void
}

/** Sent before the clock starts: connections are open then, and the hot code is compiled. */
const WARM_UP = 2000
const LONE_WARM_UP = 200
const BYTES_PER_KIB = 1024

export interface ContestArguments {
  readonly parts: Parts
  readonly requests: number
  readonly measure: string
}

export function readArguments(): ContestArguments {
  const { positionals, values } = parseArgs({
    allowPositionals: true,
    options: {
      folder: { type: 'string', default: '.' },
      measure: { type: 'string', default: 'throughput' },
    },
  })
  const [url, requests] = positionals
  if (url === undefined || !(Number(requests) >= 1))
    throw new Error('give URL and the number of notifications')
  return {
    parts: {
      url: new URL(url),
      authority: readFileSync(FILES.authority(values.folder), 'utf8'),
      signingKey: readFileSync(FILES.signingKey(values.folder), 'utf8'),
    },
    requests: Number(requests),
    measure: values.measure,
  }
}

/** Runs one measurement of a contestant and prints what came of it. */
export async function contest(
  create: (parts: Parts) => Contestant | Promise<Contestant>,
): Promise<void> {
  const { parts, requests, measure } = readArguments()
  const contestant = await create(parts)
  if (contestant.payloadBytes !== PAYLOAD_BYTES)
    throw new Error(`the payload has ${contestant.payloadBytes} bytes, not ${PAYLOAD_BYTES}`)
  printLine(
    measure === 'latency'
      ? await measureLatency(contestant, requests)
      : await measureThroughput(contestant, requests),
  )
  await contestant.close()
}

export function printLine(value: object): void {
  process.stdout.write(`${JSON.stringify(value)}\n`)
}

async function measureThroughput(contestant: Contestant, requests: number): Promise<ThroughputRun> {
  const warmUp = new Ledger(WARM_UP)
  contestant.sendAll(warmUp)
  await warmUp.done
  const ledger = new Ledger(requests)
  const usage = await measureUsage(async () => {
    contestant.sendAll(ledger)
    await ledger.done
  })
  return { ...check(ledger, warmUp), ...usage }
}

/** What the process uses for an act. */
export async function measureUsage(act: () => Promise<void>): Promise<Usage> {
  const cpuAtStart = process.cpuUsage()
  const startMs = performance.now()
  await act()
  const elapsedMs = performance.now() - startMs
  const { user, system } = process.cpuUsage(cpuAtStart)
  const peakRssBytes = process.resourceUsage().maxRSS * BYTES_PER_KIB
  return { elapsedMs, cpuMicroseconds: user + system, peakRssBytes }
}

/** @param earlier what was sent before the clock started, and has to be good as well */
export function check({ count, accepted, fault }: Ledger, earlier?: Ledger): Checked {
  const earlierFault = earlier?.fault ?? null
  const first =
    fault ?? (earlierFault === null ? null : `before the clock started: ${earlierFault}`)
  return { requests: count, accepted, fault: first }
}

async function measureLatency(contestant: Contestant, requests: number): Promise<LatencyRun> {
  const all = LONE_WARM_UP + requests
  const ledger = new Ledger(all)
  const timesMs: number[] = []
  for (let index = 0; index < all; index += 1) {
    const startMs = performance.now()
    const fault = await contestant.send(index)
    const timeMs = performance.now() - startMs
    ledger.settle(index, fault)
    if (index >= LONE_WARM_UP) timesMs.push(timeMs)
  }
  return { ...check(ledger), p50Ms: percentile(timesMs, 50), p99Ms: percentile(timesMs, 99) }
}

/** `sendAll` for a library that has nothing faster than its `send`: as many loops side by side as may be under way. */
export function sendSideBySide(
  ledger: Ledger,
  inFlight: number,
  send: (index: number) => Promise<Fault>,
): void {
  let next = 0
  const loop = async (): Promise<void> => {
    while (next < ledger.count) {
      const index = next
      next += 1
      ledger.settle(index, await send(index))
    }
  }
  for (let count = 0; count < inFlight; count += 1) void loop()
}
