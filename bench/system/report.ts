import type { LatencyRow, Row } from '../common/measured.ts'
import {
  formatHead,
  formatLatencyTable,
  formatRefused,
  joinParts,
  MB,
  type ReportHead,
} from '../common/report-parts.ts'
import { formatFixed, formatInteger, formatSpread, formatTable } from '../common/table.ts'
import { DEVICE_TOKENS, IN_FLIGHT, PAYLOAD_BYTES } from '../common/work.ts'
import type { ContestantName } from './contestants.ts'
import type { PoolRow } from './pool.ts'
import { FLAT_BELOW, type Soak } from './soak.ts'

/** All that a benchmark found out; what `--json` writes. */
export interface Report extends ReportHead {
  readonly rows: readonly Row<ContestantName>[]
  readonly latency: readonly LatencyRow<ContestantName>[]
  readonly pool: readonly PoolRow[]
  readonly soak: Soak | null
  /** A sentence for each run that does not count. */
  readonly refused: readonly string[]
}

/** The report as Markdown that a person can read as it is. */
export function formatReport(report: Report): string {
  const { rows, latency, pool, soak, refused } = report
  return joinParts([
    formatHead(report),
    rows.length > 0 ? formatThroughput(rows) : '',
    latency.length > 0 ? formatLatency(latency) : '',
    pool.length > 0 ? formatPool(pool) : '',
    soak !== null ? formatSoak(soak) : '',
    formatRefused(refused),
  ])
}

function formatThroughput(rows: readonly Row<ContestantName>[]): string {
  const rateOf = (wanted: Row['name']): number | undefined =>
    rows.find(({ name }) => name === wanted)?.requestsPerSecond
  const ceiling = rateOf('h2load')
  const ours = rateOf('apnsd')
  const table = formatTable(
    ['', 'notifications/s', 'of h2load', 'apnsd is', 'CPU µs each', 'peak MB', 'runs'],
    rows.map(({ name, requestsPerSecond: rate, spread, ...row }) => [
      name,
      formatSpread(rate, spread.requestsPerSecond, formatInteger),
      ceiling === undefined ? '–' : formatFixed(rate / ceiling, 2),
      ours === undefined ? '–' : `${formatFixed(ours / rate, 2)} ×`,
      formatSpread(row.cpuMicrosecondsPerRequest, spread.cpuMicrosecondsPerRequest, (value) =>
        formatFixed(value, 1),
      ),
      formatSpread(row.peakRssBytes, spread.peakRssBytes, (value) => formatInteger(value / MB)),
      `${row.runs} of ${formatInteger(row.requests)}`,
    ]),
  )
  return `## Throughput

${IN_FLIGHT} under way at a time, ${PAYLOAD_BYTES} bytes, ${DEVICE_TOKENS.length} device tokens; medians (lowest–highest).

${table}

h2load sends no apns-id and tracks no outcome, and its CPU time includes its start. apns2 sends no apns-id and spreads
over up to 32 connections. The others use one connection.`
}

function formatLatency(rows: readonly LatencyRow[]): string {
  return `## A lone notification\n\nFrom call to outcome, one at a time.\n\n${formatLatencyTable(rows)}`
}

function formatPool(rows: readonly PoolRow[]): string {
  const table = formatTable(
    [
      '',
      'reply time ms',
      'a lone one ms',
      'notifications/s',
      'in the last quarter',
      'connections',
      'CPU µs each',
      'runs',
    ],
    rows.map((row) => [
      row.name,
      String(row.replyTimeMs),
      row.loneReplyMs === null ? '–' : formatFixed(row.loneReplyMs, 1),
      formatSpread(row.requestsPerSecond, row.spread.requestsPerSecond, formatInteger),
      row.grownRequestsPerSecond === null ? '–' : formatInteger(row.grownRequestsPerSecond),
      formatSpread(row.connections, row.spread.connections, formatInteger),
      formatFixed(row.cpuMicrosecondsPerRequest, 1),
      String(row.runs),
    ]),
  )
  return `## The pool at a reply time

Through a relay that holds the bytes back. apnsd begins with one connection and grows by itself; h2load with all of its
connections shows what the relay and the server carry.

${table}`
}

function formatSoak(soak: Soak): string {
  const table = formatTable(
    ['settled', 'RSS MB', 'heap in use MB', 'outside of it MB'],
    soak.samples.map(({ settled, rssBytes, heapUsedBytes, externalBytes }) => [
      formatInteger(settled),
      formatFixed(rssBytes / MB, 1),
      formatFixed(heapUsedBytes / MB, 2),
      formatFixed(externalBytes / MB, 2),
    ]),
  )
  const verdict = soak.isFlat ? 'Memory is flat' : 'Memory is NOT flat'
  return `## Soak: ${formatInteger(soak.requests)} notifications

${formatInteger(soak.requestsPerSecond)}/s, ${formatFixed(soak.cpuMicrosecondsPerRequest, 1)} µs of CPU each, at most ${formatFixed(soak.peakRssBytes / MB, 1)} MB.

${table}

${verdict}: the last quarter's median is ${formatFixed(soak.rssGrowth, 3)} of the second quarter's in RSS and
${formatFixed(soak.heapGrowth, 3)} in heap; at most ${FLAT_BELOW} counts as flat.`
}
