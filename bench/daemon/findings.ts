import {
  type LatencyRow,
  type Row,
  type Spread,
  spreadOf,
  summarizeThroughput,
} from '../common/measured.ts'
import { median, summarize } from '../common/statistics.ts'
import type { DaemonRun } from './bulk.ts'
import type { PassedRun } from './passed.ts'
import type { WaitingRun } from './waiting.ts'

/** Notifications through the daemon: a second counts until the outcome of each is on disk. */
export interface DaemonRow extends Row {
  /** By the daemon's yes alone; outcomes may come later. */
  readonly answeredPerSecond: number
}

/** Memory and disk with many waiting. */
export interface WaitingRow {
  readonly name: string
  readonly notifications: number
  readonly rssBytes: number
  readonly peakRssBytes: number
  readonly diskBytes: number
  readonly enqueuedPerSecond: number
  /** When Apple was back. */
  readonly deliveredPerSecond: number
  readonly runs: number
  readonly spread: { readonly rssBytes: Spread; readonly peakRssBytes: Spread }
}

/** A daemon that is started on what waits, from the start of its process. */
export interface StartRow {
  readonly name: string
  readonly notifications: number
  readonly readyMs: number
  readonly takenMs: number
  readonly rssBytes: number
  readonly runs: number
  readonly spread: {
    readonly readyMs: Spread
    readonly takenMs: Spread
    readonly rssBytes: Spread
  }
}

/** Memory when many have passed. */
export interface PassedRow {
  readonly name: string
  readonly notifications: number
  readonly rssBytes: number
  readonly runs: number
  readonly spread: { readonly rssBytes: Spread }
}

/** What the runs that count come to. */
export interface Findings {
  readonly rows: readonly DaemonRow[]
  readonly latency: readonly LatencyRow[]
  readonly waiting: readonly WaitingRow[]
  readonly start: readonly StartRow[]
  readonly passed: readonly PassedRow[]
  /** A sentence for each run that does not count. */
  readonly refused: readonly string[]
}

export function joinFindings(all: readonly Partial<Findings>[]): Findings {
  return {
    rows: all.flatMap(({ rows = [] }) => rows),
    latency: all.flatMap(({ latency = [] }) => latency),
    waiting: all.flatMap(({ waiting = [] }) => waiting),
    start: all.flatMap(({ start = [] }) => start),
    passed: all.flatMap(({ passed = [] }) => passed),
    refused: all.flatMap(({ refused = [] }) => refused),
  }
}

export function summarizeDaemon(name: string, good: readonly DaemonRun[]): DaemonRow {
  return {
    ...summarizeThroughput(name, good),
    answeredPerSecond: median(
      good.map(({ requests, answeredMs }) => (requests / answeredMs) * 1000),
    ),
  }
}

export function summarizeWaiting(name: string, good: readonly WaitingRun[]): WaitingRow {
  const rss = summarize(good.map(({ rssBytes }) => rssBytes))
  const peak = summarize(good.map(({ peakRssBytes }) => peakRssBytes))
  return {
    name,
    notifications: median(good.map(({ requests }) => requests)),
    rssBytes: rss.median,
    peakRssBytes: peak.median,
    diskBytes: median(good.map(({ diskBytes }) => diskBytes)),
    enqueuedPerSecond: median(good.map(({ enqueuedPerSecond }) => enqueuedPerSecond)),
    deliveredPerSecond: median(
      good.map(({ requests, delivery }) => (requests / delivery.elapsedMs) * 1000),
    ),
    runs: good.length,
    spread: { rssBytes: spreadOf(rss), peakRssBytes: spreadOf(peak) },
  }
}

export function summarizeStart(name: string, good: readonly WaitingRun[]): StartRow {
  const ready = summarize(good.map(({ start }) => start.readyMs))
  const taken = summarize(good.map(({ start }) => start.takenMs))
  const rss = summarize(good.map(({ start }) => start.rssBytes))
  return {
    name,
    notifications: median(good.map(({ requests }) => requests)),
    readyMs: ready.median,
    takenMs: taken.median,
    rssBytes: rss.median,
    runs: good.length,
    spread: { readyMs: spreadOf(ready), takenMs: spreadOf(taken), rssBytes: spreadOf(rss) },
  }
}

export function summarizePassed(name: string, good: readonly PassedRun[]): PassedRow {
  const rss = summarize(good.map(({ rssBytes }) => rssBytes))
  return {
    name,
    notifications: median(good.map(({ requests }) => requests)),
    rssBytes: rss.median,
    runs: good.length,
    spread: { rssBytes: spreadOf(rss) },
  }
}
