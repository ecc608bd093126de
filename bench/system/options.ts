import { UsageError } from '../common/errors.ts'
import { parseOptions, readNames, readNumber } from '../common/read-options.ts'
import { CONTESTANT_NAMES, type ContestantName } from './contestants.ts'

export const MEASURES = ['throughput', 'latency', 'pool'] as const
export type Measure = (typeof MEASURES)[number]

export interface BenchOptions {
  readonly only: readonly ContestantName[]
  readonly measures: readonly Measure[]
  readonly rounds: number
  /** What the numbers of notifications are multiplied by. */
  readonly scale: number
  readonly replyTimesMs: readonly number[]
  /** Notifications of a soak; null: none, the benchmark itself. */
  readonly soak: number | null
  /** Where the JSON goes besides bench/results. */
  readonly json: string | null
  readonly mayBeSaved: boolean
}

const DEFAULT_ROUNDS = 5
const DEFAULT_REPLY_TIMES_MS = [0, 50, 150]
/** Fewer fit into no twenty samples. */
const LEAST_SOAK = 1000
/** A shorter soak shows nothing that is worth keeping. */
const SOAK_WORTH_SAVING = 1_000_000

export const HELP = `npm run bench -- [options]

Measures @apnsd/apns beside other clients and h2load, against one nghttpd on this machine, in rounds in which each has
its turn. Prints medians with the lowest and the highest. A whole run takes about five minutes and is written to
bench/results; so that its numbers mean something, let the machine do nothing else meanwhile.

  --only NAMES         of ${CONTESTANT_NAMES.join(', ')}, with commas between
  --measure NAMES      of ${MEASURES.join(', ')}, with commas between
  --rounds N           ${DEFAULT_ROUNDS} unless told otherwise
  --scale X            multiplies the numbers of notifications: 0.05 for a quick look
  --reply-times LIST   for the pool, in ms: ${DEFAULT_REPLY_TIMES_MS.join(',')} unless told otherwise
  --soak N             instead of all that: N notifications in one go, memory looked at in between
  --json FILE          also writes the numbers there
  --no-save            writes nothing to bench/results
  --help               prints this

What --only, --measure, --reply-times, fewer rounds or a smaller scale cut short is not written to bench/results, nor
is a run in which something failed.
Exit codes: 0 all was measured; 1 a part is missing, or a run failed; 2 the options are wrong.
`

const OPTIONS = {
  only: { type: 'string' },
  measure: { type: 'string' },
  rounds: { type: 'string' },
  scale: { type: 'string' },
  'reply-times': { type: 'string' },
  soak: { type: 'string' },
  json: { type: 'string' },
  'no-save': { type: 'boolean' },
  help: { type: 'boolean', short: 'h' },
} as const

/**
 * Reads the command line.
 * @returns null: only the help was asked for
 * @throws {UsageError}
 */
export function readOptions(args: readonly string[]): BenchOptions | null {
  const values = parseOptions(args, OPTIONS)
  if (values.help === true) return null
  const rounds = readNumber('--rounds', values.rounds, 1) ?? DEFAULT_ROUNDS
  const scale = readNumber('--scale', values.scale, Number.MIN_VALUE) ?? 1
  const soak = readNumber('--soak', values.soak, LEAST_SOAK)
  if (!Number.isInteger(rounds) || !Number.isInteger(soak ?? 1))
    throw new UsageError('--rounds and --soak take whole numbers')
  const { only, measure, 'reply-times': replyTimes } = values
  const isWhole =
    soak === null
      ? [only, measure, replyTimes].every((value) => value === undefined) &&
        rounds >= DEFAULT_ROUNDS &&
        scale >= 1
      : soak >= SOAK_WORTH_SAVING
  return {
    only: readNames('--only', only, CONTESTANT_NAMES),
    measures: readNames('--measure', measure, MEASURES),
    rounds,
    scale,
    replyTimesMs:
      replyTimes?.split(',').map((text) => readNumber('--reply-times', text, 0) ?? 0) ??
      DEFAULT_REPLY_TIMES_MS,
    soak,
    json: values.json ?? null,
    mayBeSaved: isWhole && values['no-save'] !== true,
  }
}
