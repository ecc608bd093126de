/**
 * Runs the tests and closes with the line `N passed, N failed, N skipped`.
 *
 *     npm test                              every test
 *     npm test -- packages/apns/src/der     the files whose path contains one of the words
 *
 * A skip names the part of the machine that is missing. Where CI=true a skip fails the run: there, everything that a
 * test needs must be installed, and a test that did not run has shown nothing.
 */
import { globSync } from 'node:fs'
import { Readable } from 'node:stream'
import { run } from 'node:test'
import { spec } from 'node:test/reporters'

const ROOT = new URL('..', import.meta.url).pathname
const TEST_FILES = [
  'packages/*/src/**/*.test.ts',
  'test/**/*.test.ts',
  'clients/*/test/**/*.test.ts',
  'bench/**/*.test.ts',
]
/** A file that takes longer has left something running, or waits for what never comes. */
const FILE_TIMEOUT_MS = 300_000
const LONG_FILE_TIMEOUT_MS = 600_000

/** Files that take minutes, most of them spent waiting: they run beside the others, from the start. */
const BESIDES = ['test/integration/soak.test.ts']

const words = process.argv.slice(2)
const files = globSync(TEST_FILES, { cwd: ROOT })
  .filter((file) => words.length === 0 || words.some((word) => file.includes(word)))
  .sort()

const counts = { passed: 0, failed: 0, skipped: 0 }
const skips = new Map<string, number>()

type TestsStream = ReturnType<typeof run>

/** Starts files, so many at a time, and counts how their tests end. */
function start(names: string[], concurrency: number, timeout: number): TestsStream {
  const tests = run({ cwd: ROOT, files: names, concurrency, timeout })
  tests.on('test:pass', ({ details, skip, todo }) => {
    if (details.type === 'suite') return
    if (skip === undefined && todo === undefined) {
      counts.passed += 1
      return
    }
    const why = [skip, todo].find((reason) => typeof reason === 'string') ?? 'no reason given'
    counts.skipped += 1
    skips.set(why, (skips.get(why) ?? 0) + 1)
  })
  tests.on('test:fail', ({ details }) => {
    if (details.type !== 'suite') counts.failed += 1
  })
  return tests
}

/** Reports on one after the other, though they run at the same time. */
async function* inTurn(streams: readonly TestsStream[]): AsyncGenerator {
  for (const stream of streams) yield* stream
}

const besides = files.filter((file) => BESIDES.includes(file))
const others = files.filter((file) => !BESIDES.includes(file))
const tests: TestsStream[] = []
if (others.length > 0) tests.push(start(others, 2, FILE_TIMEOUT_MS))
if (besides.length > 0) tests.push(start(besides, 1, LONG_FILE_TIMEOUT_MS))

const report = Readable.from(inTurn(tests)).compose(spec)
report.pipe(process.stdout, { end: false })
report.on('end', () => {
  for (const [why, times] of skips) process.stdout.write(`skipped ${times}: ${why}\n`)
  const ranNothing = counts.passed + counts.failed === 0
  if (ranNothing) process.stdout.write(`no test matches ${words.join(', ') || 'anything'}\n`)
  const skipFails = process.env['CI'] === 'true' && counts.skipped > 0
  if (skipFails) process.stdout.write('a skipped test fails the run where CI=true\n')
  process.stdout.write(
    `${counts.passed} passed, ${counts.failed} failed, ${counts.skipped} skipped\n`,
  )
  process.exitCode = counts.failed > 0 || ranNothing || skipFails ? 1 : 0
})
