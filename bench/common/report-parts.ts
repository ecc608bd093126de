import type { Machine } from './machine.ts'
import type { LatencyRow } from './measured.ts'
import { formatFixed, formatSpread, formatTable } from './table.ts'

/** What every benchmark's report begins with. */
export interface ReportHead {
  /** ISO 8601, when it began. */
  readonly startedAt: string
  readonly command: string
  readonly machine: Machine
  readonly versions: Readonly<Record<string, string>>
}

export const MB = 1_000_000
const GB = 1_000_000_000

/** Joins the parts of a report; empty ones are left out. */
export function joinParts(parts: readonly string[]): string {
  return `${parts.filter((part) => part !== '').join('\n\n')}\n`
}

export function formatHead({ startedAt, command, machine, versions }: ReportHead): string {
  const { cpu, cores, memoryBytes, system, node, openssl, loadAverage } = machine
  const memory = `${formatFixed(memoryBytes / GB, 1)} GB`
  return [
    `# Benchmark of ${startedAt}`,
    '',
    `- command: \`${command}\``,
    `- machine: ${cpu}, ${cores} cores, ${memory}, ${system}`,
    `- Node ${node}, OpenSSL ${openssl}; load average ${formatFixed(loadAverage, 2)} at the start`,
    ...Object.entries(versions).map(([name, version]) => `- ${name}: ${version}`),
  ].join('\n')
}

/** The table of p50 and p99, without a heading. */
export function formatLatencyTable(rows: readonly LatencyRow[]): string {
  const milliseconds = (value: number): string => formatFixed(value, 3)
  return formatTable(
    ['', 'p50 ms', 'p99 ms', 'runs'],
    rows.map(({ name, p50Ms, p99Ms, runs, spread }) => [
      name,
      formatSpread(p50Ms, spread.p50Ms, milliseconds),
      formatSpread(p99Ms, spread.p99Ms, milliseconds),
      String(runs),
    ]),
  )
}

/** Names the runs that are in no median; empty where each counts. */
export function formatRefused(refused: readonly string[]): string {
  if (refused.length === 0) return ''
  return `## Runs that do not count\n\n${refused.map((why) => `- ${why}`).join('\n')}`
}
