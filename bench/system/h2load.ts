import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Command, runChild } from '../common/child.ts'
import { BenchError } from '../common/errors.ts'
import type { LatencyRun, ThroughputRun } from '../common/measured.ts'
import { readPeakRssBytes } from '../common/process-usage.ts'
import { percentile } from '../common/statistics.ts'
import { DEVICE_TOKENS, FILES, PRIORITY, PUSH_TYPE, TOPIC } from '../common/work.ts'

/**
 * Runs h2load, prints its process identifier first, and last what it used of the CPU: `times` gives the shell's own time
 * on one line and its children's on the next, in steps of 10 ms. Thus nothing is needed that a Debian lacks.
 */
const SHELL = `h2load "$@" & child=$!; trap 'kill $child' TERM; echo "$child"; wait $child; status=$?; times; exit $status`
const SAMPLE_MS = 20
const MICROSECONDS = 1_000_000
/** As long as a provider token. The server does not look at it. */
const AUTHORIZATION = `bearer ${'x'.repeat(180)}`

export interface Load {
  readonly url: string
  readonly folder: string
  readonly requests: number
  readonly connections: number
  readonly streams: number
  readonly deadlineMs: number
  readonly signal: AbortSignal
}

/** Measures h2load, which tracks no outcomes and counts statuses. Its CPU time includes the start of the process. */
export async function runH2load(load: Load): Promise<ThroughputRun> {
  const { lines, peakRssBytes } = await start(load)
  const cpu = parseTimes(lines.at(-1) ?? '')
  return {
    ...parseSummary(lines, load.requests),
    cpuMicroseconds: cpu * MICROSECONDS,
    peakRssBytes,
  }
}

/** Measures one request at a time. The first `warmUp` are not counted. */
export async function runH2loadLone(load: Load, warmUp: number): Promise<LatencyRun> {
  const log = join(load.folder, 'h2load.log')
  const requests = load.requests + warmUp
  const one = { ...load, requests, connections: 1, streams: 1 }
  try {
    const { lines } = await start(one, [`--log-file=${log}`])
    const timesMs = readFileSync(log, 'utf8')
      .trim()
      .split('\n')
      .slice(warmUp)
      .map((line) => Number(line.split('\t')[2]) / 1000)
    const { accepted, fault } = parseSummary(lines, requests)
    return {
      ...{ requests, accepted, fault },
      p50Ms: percentile(timesMs, 50),
      p99Ms: percentile(timesMs, 99),
    }
  } finally {
    rmSync(log, { force: true })
  }
}

async function start(
  load: Load,
  more: readonly string[] = [],
): Promise<{ lines: string[]; peakRssBytes: number }> {
  const { url, folder, deadlineMs, signal } = load
  const paths = join(folder, 'urls')
  writeFileSync(paths, DEVICE_TOKENS.map((token) => `${url}/3/device/${token}\n`).join(''))
  const memory = new PeakMemory()
  const command: Command = {
    name: 'h2load',
    program: 'sh',
    args: ['-c', SHELL, 'sh', ...argumentsOf(load), `--input-file=${paths}`, ...more],
    deadlineMs,
    signal,
    onLine: (line) => memory.watch(line),
  }
  try {
    return { lines: await runChild(command), peakRssBytes: memory.bytes }
  } finally {
    memory.stop()
  }
}

function argumentsOf({ folder, requests, connections, streams }: Load): string[] {
  const fields = {
    authorization: AUTHORIZATION,
    'apns-topic': TOPIC,
    'apns-push-type': PUSH_TYPE,
    'apns-priority': String(PRIORITY),
  }
  return [
    `--requests=${requests}`,
    `--clients=${connections}`,
    `--max-concurrent-streams=${streams}`,
    '--threads=1',
    `--data=${FILES.payload(folder)}`,
    '--tls13-ciphers=TLS_AES_256_GCM_SHA384', // which Node agrees on
    ...Object.entries(fields).flatMap(([name, value]) => ['-H', `${name}: ${value}`]),
  ]
}

/** Reads the highest resident memory of a process while it lives; Linux keeps it in /proc. */
class PeakMemory {
  bytes = 0
  #timer: NodeJS.Timeout | undefined

  /** @param line the first one names the process */
  watch(line: string): void {
    if (this.#timer !== undefined) return
    this.#read(line)
    this.#timer = setInterval(() => this.#read(line), SAMPLE_MS)
  }

  stop(): void {
    clearInterval(this.#timer)
  }

  #read(pid: string): void {
    try {
      const bytes = readPeakRssBytes(Number(pid))
      if (!Number.isNaN(bytes)) this.bytes = bytes
    } catch {
      // it has just ended; what was read before holds
    }
  }
}

/** Reads h2load's own summary. */
function parseSummary(
  lines: readonly string[],
  requests: number,
): Pick<ThroughputRun, 'requests' | 'accepted' | 'fault' | 'elapsedMs'> {
  const text = lines.join('\n')
  const [, perSecond] = /^finished in [^,]+, ([\d.]+) req\/s/m.exec(text) ?? []
  const [, done, succeeded] = /^requests: .* (\d+) done, (\d+) succeeded/m.exec(text) ?? []
  const [, accepted] = /^status codes: (\d+) 2xx/m.exec(text) ?? []
  if (perSecond === undefined || accepted === undefined)
    throw new BenchError('h2load printed no summary that is known here')
  const isWhole = [done, succeeded, accepted].every((count) => Number(count) === requests)
  return {
    requests,
    accepted: Number(accepted),
    fault: isWhole ? null : `${accepted} of ${requests} were answered 2xx`,
    elapsedMs: (requests / Number(perSecond)) * 1000,
  }
}

/** Reads the shell's `0m1.230000s 0m0.450000s`: user and system. @returns seconds */
function parseTimes(line: string): number {
  const parts = [...line.matchAll(/(\d+)m([\d.]+)s/g)]
  if (parts.length !== 2) throw new BenchError('the shell did not say what h2load used of the CPU')
  return parts.reduce(
    (sum, [, minutes, seconds]) => sum + Number(minutes) * 60 + Number(seconds),
    0,
  )
}
