import { median, type Summary, summarize } from './statistics.ts'

/** How many notifications of a run were answered 200, and what went wrong first. */
export interface Checked {
  readonly requests: number
  readonly accepted: number
  /** Without device tokens; null: nothing. */
  readonly fault: string | null
}

/** From the first notification sent to the last outcome; the start of the process and the warm-up left out. */
export interface Usage {
  readonly elapsedMs: number
  /** User and system, all threads. */
  readonly cpuMicroseconds: number
  /** Of the whole process, its start included. */
  readonly peakRssBytes: number
}

export interface ThroughputRun extends Checked, Usage {}

export interface LatencyRun extends Checked {
  readonly p50Ms: number
  readonly p99Ms: number
}

/** The lowest and the highest of the runs. */
export type Spread = Omit<Summary, 'median'>

/** Medians of the runs of one name. */
export interface Row<Name extends string = string> {
  readonly name: Name
  readonly requestsPerSecond: number
  readonly cpuMicrosecondsPerRequest: number
  readonly peakRssBytes: number
  /** How many runs the medians are of. */
  readonly runs: number
  readonly spread: {
    readonly requestsPerSecond: Spread
    readonly cpuMicrosecondsPerRequest: Spread
    readonly peakRssBytes: Spread
  }
  /** In each run. */
  readonly requests: number
}

/** Medians over the rounds of each round's p50 and p99. */
export interface LatencyRow<Name extends string = string> {
  readonly name: Name
  readonly p50Ms: number
  readonly p99Ms: number
  readonly runs: number
  readonly spread: { readonly p50Ms: Spread; readonly p99Ms: Spread }
}

export interface Measured<OneRow> {
  readonly rows: readonly OneRow[]
  /** A sentence for each run that does not count. */
  readonly refused: readonly string[]
}

/** Fewer show nothing but the start. */
const LEAST_REQUESTS = 200

export function scaled(requests: number, scale: number): number {
  return Math.max(LEAST_REQUESTS, Math.round(requests * scale))
}

export function perSecond({ requests, elapsedMs }: ThroughputRun): number {
  return (requests / elapsedMs) * 1000
}

export function cpuPerRequest({ requests, cpuMicroseconds }: ThroughputRun): number {
  return cpuMicroseconds / requests
}

/** @param good the runs that count, at least one */
export function summarizeThroughput<Name extends string>(
  name: Name,
  good: readonly ThroughputRun[],
): Row<Name> {
  const rate = summarize(good.map(perSecond))
  const cpu = summarize(good.map(cpuPerRequest))
  const memory = summarize(good.map(({ peakRssBytes }) => peakRssBytes))
  return {
    name,
    requestsPerSecond: rate.median,
    cpuMicrosecondsPerRequest: cpu.median,
    peakRssBytes: memory.median,
    runs: good.length,
    spread: {
      requestsPerSecond: spreadOf(rate),
      cpuMicrosecondsPerRequest: spreadOf(cpu),
      peakRssBytes: spreadOf(memory),
    },
    requests: median(good.map(({ requests }) => requests)),
  }
}

/** @param good the runs that count, at least one */
export function summarizeLatency<Name extends string>(
  name: Name,
  good: readonly Pick<LatencyRun, 'p50Ms' | 'p99Ms'>[],
): LatencyRow<Name> {
  const p50 = summarize(good.map(({ p50Ms }) => p50Ms))
  const p99 = summarize(good.map(({ p99Ms }) => p99Ms))
  return {
    name,
    p50Ms: p50.median,
    p99Ms: p99.median,
    runs: good.length,
    spread: { p50Ms: spreadOf(p50), p99Ms: spreadOf(p99) },
  }
}

export function spreadOf({ min, max }: Summary): Spread {
  return { min, max }
}
