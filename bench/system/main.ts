/** `npm run bench`: see bench/README.md. */
import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { runBench } from './bench.ts'
import { BenchError } from './errors.ts'
import { type BenchOptions, HELP, readOptions, UsageError } from './options.ts'
import { formatReport, type Report } from './report.ts'

const LEAST_NODE = 24
const EXIT_FAILED = 1
const EXIT_USAGE = 2
const RESULTS = new URL('../results/', import.meta.url).pathname
const ISO_DATE_CHARACTERS = 10

const args = process.argv.slice(2)
try {
  process.exitCode = await main()
} catch (error) {
  if (!(error instanceof BenchError)) throw error
  process.stderr.write(`${error.message}\n`)
  process.exitCode = error instanceof UsageError ? EXIT_USAGE : EXIT_FAILED
}

async function main(): Promise<number> {
  const options = readOptions(args)
  if (options === null) {
    process.stdout.write(HELP)
    return 0
  }
  if (Number.parseInt(process.versions.node, 10) < LEAST_NODE)
    throw new BenchError(
      `Node ${LEAST_NODE} is needed and this is ${process.versions.node}: use npm run bench`,
    )
  const command = ['npm run bench', ...(args.length > 0 ? ['--', ...args] : [])].join(' ')
  const report = await runBench(options, command, breakOffSignal(), (line) => {
    process.stderr.write(`${line}\n`)
  })
  process.stdout.write(formatReport(report))
  const hasFailed = report.refused.length > 0 || report.soak?.isFlat === false
  write(report, options, hasFailed)
  return hasFailed ? EXIT_FAILED : 0
}

function write(report: Report, { json, mayBeSaved, soak }: BenchOptions, hasFailed: boolean): void {
  const text = `${JSON.stringify(report, null, 2)}\n`
  const date = report.startedAt.slice(0, ISO_DATE_CHARACTERS)
  const path = `${RESULTS}${date}-${soak === null ? 'peers' : 'soak'}`
  if (json !== null) writeReport(resolve(json), text)
  if (!mayBeSaved || hasFailed) return
  writeReport(`${path}.json`, text)
  writeReport(`${path}.md`, formatReport(report))
  process.stderr.write(`written to ${path}.md and .json\n`)
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
function breakOffSignal(): AbortSignal {
  const controller = new AbortController()
  for (const name of ['SIGINT', 'SIGTERM'] as const)
    process.once(name, () => controller.abort(new BenchError(`broken off by ${name}`)))
  return controller.signal
}
