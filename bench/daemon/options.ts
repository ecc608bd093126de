import { UsageError } from '../common/errors.ts'
import { parseOptions, readNames, readNumber } from '../common/read-options.ts'
import { MEASURE_NAMES, type Measure } from './measures.ts'

export interface DaemonBenchOptions {
  readonly only: readonly Measure[]
  readonly rounds: number
  /** What the numbers of notifications are multiplied by. */
  readonly scale: number
  /** Of the counterpart while a campaign runs. */
  readonly replyTimesMs: readonly number[]
  /** Folder for CPU profiles of the daemon; null: none. */
  readonly profileFolder: string | null
  /** Where the JSON goes besides bench/results. */
  readonly json: string | null
  readonly mayBeSaved: boolean
}

const DEFAULT_ROUNDS = 5
const DEFAULT_REPLY_TIMES_MS = [0, 50]
/** Takes minutes, and only on demand. */
const LONG: Measure = 'passed'

export const HELP = `npm run bench:daemon -- [options]

Measures the daemon, apnsd serve in a process of its own, from the call to Apple's answer on disk, against nghttpd on this
machine. A number counts only when every notification was accepted. Prints medians with the lowest and the highest. A
whole run takes a quarter of an hour and is written to bench/results; so that its numbers mean something, let the machine do
nothing else meanwhile.

  --only NAMES         of ${MEASURE_NAMES.join(', ')}, with commas between
  --long               also ${LONG}, which is left out unless it is named
  --rounds N           ${DEFAULT_ROUNDS} unless told otherwise; of urgent and waiting at most 3, of passed and
                       waiting-singles 1
  --scale X            multiplies the numbers of notifications: 0.05 for a quick look
  --reply-times LIST   for urgent, in ms: ${DEFAULT_REPLY_TIMES_MS.join(',')} unless told otherwise
  --cpu-prof FOLDER    writes a CPU profile of each daemon there, which slows it down
  --json FILE          also writes the numbers there
  --no-save            writes nothing to bench/results
  --help               prints this

The data folder is under $TMPDIR: what is durable is so on that disk. What --only, --reply-times, --cpu-prof, fewer rounds
or a smaller scale cut short is not written to bench/results, nor is a run in which something failed.
Exit codes: 0 all was measured; 1 a part is missing, or a run failed; 2 the options are wrong.
`

const OPTIONS = {
  only: { type: 'string' },
  long: { type: 'boolean' },
  rounds: { type: 'string' },
  scale: { type: 'string' },
  'reply-times': { type: 'string' },
  'cpu-prof': { type: 'string' },
  json: { type: 'string' },
  'no-save': { type: 'boolean' },
  help: { type: 'boolean', short: 'h' },
} as const

/**
 * Reads the command line.
 * @returns null: only the help was asked for
 * @throws {UsageError}
 */
export function readOptions(args: readonly string[]): DaemonBenchOptions | null {
  const values = parseOptions(args, OPTIONS)
  if (values.help === true) return null
  const rounds = readNumber('--rounds', values.rounds, 1) ?? DEFAULT_ROUNDS
  if (!Number.isInteger(rounds)) throw new UsageError('--rounds takes a whole number')
  const scale = readNumber('--scale', values.scale, Number.MIN_VALUE) ?? 1
  const { only, 'reply-times': replyTimes, 'cpu-prof': profile } = values
  const isWhole =
    [only, replyTimes, profile].every((value) => value === undefined) &&
    rounds >= DEFAULT_ROUNDS &&
    scale >= 1
  return {
    only: readMeasures(only, values.long === true),
    rounds,
    scale,
    replyTimesMs:
      replyTimes?.split(',').map((text) => readNumber('--reply-times', text, 0) ?? 0) ??
      DEFAULT_REPLY_TIMES_MS,
    profileFolder: profile ?? null,
    json: values.json ?? null,
    mayBeSaved: isWhole && values['no-save'] !== true,
  }
}

function readMeasures(only: string | undefined, isLong: boolean): readonly Measure[] {
  const named = readNames('--only', only, MEASURE_NAMES)
  if (only === undefined && !isLong) return named.filter((name) => name !== LONG)
  return MEASURE_NAMES.filter((name) => named.includes(name) || (isLong && name === LONG))
}
