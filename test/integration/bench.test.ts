import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, it } from 'node:test'
import { type Counterpart, startCounterpart } from '../../bench/common/counterpart.ts'
import { DEVICE_TOKENS, FILES } from '../../bench/common/work.ts'
import { CONTESTANT_NAMES } from '../../bench/system/contestants.ts'
import type { Report } from '../../bench/system/report.ts'
import type { Stage } from '../../bench/system/run.ts'
import { measureThroughput } from '../../bench/system/throughput.ts'
import { missing } from '../support/system-parts.ts'

const ROOT = new URL('../../', import.meta.url).pathname
const RESULTS = join(ROOT, 'bench', 'results')
/** The least that a contestant sends: 200. */
const TINY = 0.0001

const skip = missing('nghttpd') || missing('h2load')

describe('npm run bench', () => {
  const folder = mkdtempSync(join(tmpdir(), 'apnsd-test-'))
  after(() => rmSync(folder, { recursive: true, force: true }))

  function bench(args: readonly string[], env: NodeJS.ProcessEnv = process.env) {
    return spawnSync(process.execPath, [join(ROOT, 'bench/system/main.ts'), ...args], {
      encoding: 'utf8',
      env,
    })
  }

  it('measures each contestant and writes the numbers, and keeps a quick run out of the results', {
    skip,
  }, () => {
    const json = join(folder, 'report.json')
    const before = readdirSync(RESULTS)
    const options = ['--rounds', '1', '--scale', String(TINY), '--reply-times', '20']
    const { status, stdout, stderr } = bench([...options, '--json', json])
    assert.equal(status, 0, stderr)
    const report = JSON.parse(readFileSync(json, 'utf8')) as Report

    assert.deepEqual(
      report.rows.map(({ name }) => name),
      CONTESTANT_NAMES,
    )
    for (const row of report.rows) {
      assert.match(stdout, new RegExp(`^\\| ${row.name} `, 'm'))
      assert.equal(row.runs, 1)
      for (const measure of [
        'requestsPerSecond',
        'cpuMicrosecondsPerRequest',
        'peakRssBytes',
      ] as const) {
        // so short a run of h2load may use less of the CPU than the shell's clock can tell
        const mayBeNone = row.name === 'h2load' && measure === 'cpuMicrosecondsPerRequest'
        assert.ok(row[measure] > 0 || mayBeNone, `${row.name} ${measure}`)
        assert.deepEqual(row.spread[measure], { min: row[measure], max: row[measure] })
      }
    }
    assert.deepEqual(
      report.latency.map(({ name }) => name),
      CONTESTANT_NAMES,
    )
    for (const { p50Ms, p99Ms } of report.latency) assert.ok(p50Ms > 0 && p50Ms <= p99Ms)
    assert.deepEqual(
      report.pool.map(({ name, replyTimeMs }) => `${name} ${replyTimeMs}`),
      ['apnsd 20', 'h2load 20'],
    )
    assert.ok((report.pool[0]?.loneReplyMs ?? 0) >= 20)
    assert.ok(report.machine.cores > 0)
    assert.equal(report.machine.node, process.version)
    assert.deepEqual(report.refused, [])
    assert.deepEqual(readdirSync(RESULTS), before)
  })

  it('soaks: tells what memory did', { skip }, () => {
    const { status, stdout, stderr } = bench(['--soak', '1000'])
    assert.match(stdout, /^\| 1.?000 /m, stderr)
    assert.match(stdout, /Memory is (NOT )?flat/)
    assert.equal(status, stdout.includes('NOT') ? 1 : 0)
  })

  it('names what the machine lacks and how to get it', () => {
    const { status, stderr } = bench([], { ...process.env, PATH: folder })
    assert.equal(status, 1)
    assert.match(stderr, /nghttpd.*apt-get install nghttp2-server/)
    assert.match(stderr, /h2load.*apt-get install nghttp2-client/)
  })

  it('refuses options that it does not know, with exit code 2', () => {
    const { status, stderr } = bench(['--only', 'apnsd,pushy'])
    assert.equal(status, 2)
    assert.match(stderr, /--only knows apnsd, .*, not "pushy"/)
  })
})

describe('a run of the benchmark', () => {
  let counterpart: Counterpart | undefined
  after(() => counterpart?.stop())

  it('counts for nothing when one device token is answered 404', { skip }, async () => {
    counterpart = await startCounterpart()
    const path = join(FILES.documents(counterpart.folder), '3', 'device', DEVICE_TOKENS[7] ?? '')
    rmSync(path)
    const stage: Stage = { counterpart, signal: new AbortController().signal, say: () => undefined }
    const { rows, refused } = await measureThroughput(stage, CONTESTANT_NAMES, 1, TINY)
    assert.deepEqual(rows, [])
    for (const [index, name] of CONTESTANT_NAMES.entries()) {
      assert.match(refused[index] ?? '', new RegExp(`^${name}: 1 of 200 were not answered 200`))
      assert.ok(!refused[index]?.includes(DEVICE_TOKENS[7] ?? ''))
    }
  })
})
