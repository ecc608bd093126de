import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { BenchError, UsageError } from './errors.ts'

const LEAST_NODE = 24
const EXIT_FAILED = 1
const EXIT_USAGE = 2
const RESULTS = new URL('../results/', import.meta.url).pathname
const ISO_DATE_CHARACTERS = 10

/** A benchmark's report: what it found out, for a person and for a program. */
export interface Outcome {
  /** ISO 8601, when it began. */
  readonly startedAt: string
  /** All numbers, in JSON. */
  readonly json: string
  /** Markdown. */
  readonly text: string
  /** Some number does not count, or misses what it must hold. */
  readonly hasFailed: boolean
}

/** Where a report goes besides standard output. */
export interface Destination {
  /** In bench/results, after the date; null: not kept there. */
  readonly name: string | null
  /** A file of the caller's; null: none. */
  readonly json: string | null
}

/**
 * Runs a benchmark's command to its exit code: 0, 1 where a part is missing or a run failed, 2 where the options are
 * wrong. What is wrong is said on standard error.
 */
export async function runCommand(main: () => Promise<number>): Promise<void> {
  try {
    process.exitCode = await main()
  } catch (error) {
    if (!(error instanceof BenchError)) throw error
    process.stderr.write(`${error.message}\n`)
    process.exitCode = error instanceof UsageError ? EXIT_USAGE : EXIT_FAILED
  }
}

/** @throws {BenchError} this Node is too old for what is measured */
export function checkNode(script: string): void {
  if (Number.parseInt(process.versions.node, 10) < LEAST_NODE)
    throw new BenchError(
      `Node ${LEAST_NODE} is needed and this is ${process.versions.node}: use npm run ${script}`,
    )
}

/** Prints a report and writes it where it belongs. @returns the exit code */
export function publish(
  { startedAt, json, text, hasFailed }: Outcome,
  destination: Destination,
): number {
  process.stdout.write(text)
  const date = startedAt.slice(0, ISO_DATE_CHARACTERS)
  if (destination.json !== null) writeReport(resolve(destination.json), json)
  if (destination.name !== null && !hasFailed) {
    const path = `${RESULTS}${date}-${destination.name}`
    writeReport(`${path}.json`, json)
    writeReport(`${path}.md`, text)
    process.stderr.write(`written to ${path}.md and .json\n`)
  }
  return hasFailed ? EXIT_FAILED : 0
}

function writeReport(path: string, text: string): void {
  try {
    mkdirSync(dirname(path), { recursive: true })
    writeFileSync(path, text)
  } catch (error) {
    const why = error instanceof Error ? error.message : 'unknown'
    throw new BenchError(`the numbers could not be written: ${why}`, { cause: error })
  }
}

/** Interrupted, it ends the processes that it started, removes their folder, and only then ends itself. */
export function breakOffSignal(): AbortSignal {
  const controller = new AbortController()
  for (const name of ['SIGINT', 'SIGTERM'] as const)
    process.once(name, () => controller.abort(new BenchError(`broken off by ${name}`)))
  return controller.signal
}
