/** What the benchmark of the daemon measures: how many notifications go in a run, and in how many rounds at most. */
export const MEASURES = {
  'bulk-xmlrpc': { requests: 200_000, mostRounds: Infinity },
  'bulk-ndjson': { requests: 200_000, mostRounds: Infinity },
  single: { requests: 20_000, mostRounds: Infinity },
  lone: { requests: 2000, mostRounds: Infinity },
  urgent: { requests: 1_000_000, mostRounds: 3 },
  waiting: { requests: 1_000_000, mostRounds: 3 },
  'waiting-singles': { requests: 100_000, mostRounds: 1 },
  passed: { requests: 10_000_000, mostRounds: 1 },
} as const satisfies Record<string, { readonly requests: number; readonly mostRounds: number }>

export type Measure = keyof typeof MEASURES

export const MEASURE_NAMES = Object.keys(MEASURES) as readonly Measure[]

/** What the design asks for, where it is a number to beat. */
export const GOALS: Readonly<Record<string, string>> = {
  'bulk-xmlrpc': '≥ 80 000/s, ≤ 12 µs',
  'bulk-ndjson': '≥ 100 000/s, ≤ 10 µs',
  single: '≥ 12 000/s, ≤ 80 µs; p99 ≤ 20 ms',
  lone: 'p50 ≤ 1.5 ms, p99 ≤ 5 ms',
  urgent: 'p99 ≤ 100 ms',
  waiting: '≤ 250 MB, started in ≤ 2 s',
  passed: '≤ 250 MB',
}
