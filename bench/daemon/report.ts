import {
  formatHead,
  formatLatencyTable,
  formatRefused,
  joinParts,
  MB,
  type ReportHead,
} from '../common/report-parts.ts'
import { formatFixed, formatInteger, formatSpread, formatTable } from '../common/table.ts'
import type { DaemonRow, Findings, PassedRow, StartRow, WaitingRow } from './findings.ts'
import { GOALS } from './measures.ts'

/** All that the benchmark of the daemon found out; what `--json` writes. */
export interface DaemonReport extends ReportHead, Findings {}

const megabytes = (bytes: number): string => formatInteger(bytes / MB)

/** The report as Markdown that a person can read as it is. */
export function formatReport(report: DaemonReport): string {
  const { rows, latency, waiting, start, passed, refused } = report
  return joinParts([
    formatHead(report),
    rows.length > 0 ? formatRows(rows) : '',
    latency.length > 0 ? `${LATENCY}\n\n${formatLatencyTable(latency)}` : '',
    waiting.length > 0 ? formatWaiting(waiting) : '',
    start.length > 0 ? formatStart(start) : '',
    passed.length > 0 ? formatPassed(passed) : '',
    formatGoals(namesOf(report)),
    formatRefused(refused),
  ])
}

const LATENCY = `## Latency

single: the call, from request to answer. lone and urgent: from the call to the arrival at the counterpart; urgent ones
come every 50 ms beside a campaign, whose row stands above.`

function formatRows(rows: readonly DaemonRow[]): string {
  const table = formatTable(
    ['', 'notifications/s', 'answered/s', 'CPU µs each', 'peak MB', 'runs'],
    rows.map(({ name, requestsPerSecond, answeredPerSecond, spread, ...row }) => [
      name,
      formatSpread(requestsPerSecond, spread.requestsPerSecond, formatInteger),
      formatInteger(answeredPerSecond),
      formatSpread(row.cpuMicrosecondsPerRequest, spread.cpuMicrosecondsPerRequest, (value) =>
        formatFixed(value, 1),
      ),
      formatSpread(row.peakRssBytes, spread.peakRssBytes, megabytes),
      `${row.runs} of ${formatInteger(row.requests)}`,
    ]),
  )
  return `## Through the daemon

From the first call until each outcome is on disk; medians (lowest–highest). CPU and memory are the daemon's alone.

${table}`
}

function formatWaiting(rows: readonly WaitingRow[]): string {
  const table = formatTable(
    ['', 'waiting', 'MB', 'peak MB', 'on disk MB', 'handed in/s', 'delivered/s', 'runs'],
    rows.map((row) => [
      row.name,
      formatInteger(row.notifications),
      formatSpread(row.rssBytes, row.spread.rssBytes, megabytes),
      formatSpread(row.peakRssBytes, row.spread.peakRssBytes, megabytes),
      megabytes(row.diskBytes),
      formatInteger(row.enqueuedPerSecond),
      formatInteger(row.deliveredPerSecond),
      String(row.runs),
    ]),
  )
  return `## Waiting

Handed in while Apple is out of reach: waiting by calls of a thousand, waiting-singles one to a \`notify\`, a thousand to
a \`system.multicall\`. Delivered when Apple was back, after a SIGKILL and a start.

${table}`
}

function formatStart(rows: readonly StartRow[]): string {
  const table = formatTable(
    ['', 'waiting', 'ready ms', 'first call answered ms', 'MB', 'runs'],
    rows.map((row) => [
      row.name,
      formatInteger(row.notifications),
      formatSpread(row.readyMs, row.spread.readyMs, formatInteger),
      formatSpread(row.takenMs, row.spread.takenMs, formatInteger),
      formatSpread(row.rssBytes, row.spread.rssBytes, megabytes),
      String(row.runs),
    ]),
  )
  return `## Start on what waits\n\nAfter a SIGKILL, from the start of the process.\n\n${table}`
}

function formatPassed(rows: readonly PassedRow[]): string {
  const table = formatTable(
    ['', 'passed', 'MB', 'runs'],
    rows.map((row) => [
      row.name,
      formatInteger(row.notifications),
      formatSpread(row.rssBytes, row.spread.rssBytes, megabytes),
      String(row.runs),
    ]),
  )
  return `## Memory when many have passed\n\n${table}`
}

/** The measures that have a number, without their reply times. */
function namesOf({ rows, latency, waiting, passed }: DaemonReport): ReadonlySet<string> {
  const all = [...rows, ...latency, ...waiting, ...passed]
  return new Set(all.map(({ name }) => name.split(' ')[0] ?? name))
}

function formatGoals(names: ReadonlySet<string>): string {
  const goals = Object.entries(GOALS).filter(([name]) => names.has(name))
  if (goals.length === 0) return ''
  return `## What the goals are\n\n${formatTable(['', 'goal'], goals)}`
}
