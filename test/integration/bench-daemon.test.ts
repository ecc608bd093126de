import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, it } from 'node:test'
import { startNghttpd } from '../../bench/common/counterpart.ts'
import { BenchError } from '../../bench/common/errors.ts'
import { makeStageFolder } from '../../bench/common/stage-folder.ts'
import { DEVICE_TOKENS, FILES } from '../../bench/common/work.ts'
import { handInBulk, runBulkXmlRpc } from '../../bench/daemon/bulk.ts'
import type { DaemonReport } from '../../bench/daemon/report.ts'
import { dataFolderOf, type Stage, startDaemon, withDaemon } from '../../bench/daemon/stage.ts'
import { missing } from '../support/system-parts.ts'

const ROOT = new URL('../../', import.meta.url).pathname
const RESULTS = join(ROOT, 'bench', 'results')
const SPREAD = ['requestsPerSecond', 'cpuMicrosecondsPerRequest', 'peakRssBytes'] as const

const skip = missing('nghttpd')

describe('npm run bench:daemon', () => {
  const folder = mkdtempSync(join(tmpdir(), 'apnsd-test-'))
  after(() => rmSync(folder, { recursive: true, force: true }))

  function bench(args: readonly string[], env: NodeJS.ProcessEnv = process.env) {
    const main = join(ROOT, 'bench/daemon/main.ts')
    return spawnSync(process.execPath, [main, ...args], { encoding: 'utf8', env })
  }

  it('takes each measure and writes the numbers, and keeps a quick run out of the results', {
    skip,
  }, () => {
    const json = join(folder, 'report.json')
    const kept = readdirSync(RESULTS)
    const only = ['--only', 'bulk-xmlrpc,single,lone,urgent,waiting']
    const quick = ['--rounds', '1', '--scale', '0.001', '--reply-times', '5']
    const { status, stdout, stderr } = bench([...only, ...quick, '--json', json])
    assert.equal(status, 0, stderr)
    const report = JSON.parse(readFileSync(json, 'utf8')) as DaemonReport

    assert.deepEqual(
      report.rows.map(({ name, requests }) => [name, requests]),
      [
        ['bulk-xmlrpc', 1000],
        ['single', 200],
        ['urgent at 5 ms', 1000],
      ],
    )
    for (const row of report.rows) {
      assert.match(stdout, new RegExp(`^\\| ${row.name} `, 'm'))
      assert.equal(row.runs, 1)
      for (const measure of SPREAD) {
        assert.ok(row[measure] > 0, `${row.name} ${measure}`)
        assert.deepEqual(row.spread[measure], { min: row[measure], max: row[measure] })
      }
      assert.ok(row.answeredPerSecond >= row.requestsPerSecond)
    }
    assert.deepEqual(
      report.latency.map(({ name }) => name),
      ['single', 'lone', 'urgent at 5 ms'],
    )
    for (const { p50Ms, p99Ms } of report.latency) assert.ok(p50Ms > 0 && p50Ms <= p99Ms)

    for (const rows of [report.waiting, report.start])
      assert.deepEqual(
        rows.map(({ name, notifications }) => [name, notifications]),
        [['waiting', 1000]],
      )
    for (const { rssBytes, peakRssBytes, diskBytes } of report.waiting)
      assert.ok(rssBytes > 0 && rssBytes <= peakRssBytes && diskBytes > 0)
    for (const { readyMs, takenMs } of report.start) assert.ok(readyMs > 0 && readyMs < takenMs)
    assert.equal(report.machine.node, process.version)
    assert.deepEqual(report.refused, [])
    assert.deepEqual(readdirSync(RESULTS), kept)
  })

  it('tells what memory is when many have passed', { skip }, () => {
    const json = join(folder, 'passed.json')
    const { status, stderr } = bench(['--only', 'passed', '--scale', '0.0002', '--json', json])
    assert.equal(status, 0, stderr)
    const { passed, rows } = JSON.parse(readFileSync(json, 'utf8')) as DaemonReport
    assert.equal(rows[0]?.requests, 2000)
    assert.equal(passed[0]?.notifications, 2000)
    assert.ok(passed[0].rssBytes > 0)
  })

  it('names what the machine lacks and how to get it', () => {
    const { status, stderr } = bench([], { ...process.env, PATH: folder })
    assert.equal(status, 1)
    assert.match(stderr, /nghttpd.*apt-get install nghttp2-server/)
  })

  it('refuses options that it does not know, with exit code 2', () => {
    const { status, stderr } = bench(['--only', 'lone,slow'])
    assert.equal(status, 2)
    assert.match(stderr, /--only knows bulk-xmlrpc, .*, not "slow"/)
  })
})

describe('a run of the daemon', { skip }, () => {
  const files = makeStageFolder()
  after(() => files.remove())
  const stage: Stage = {
    folder: files.folder,
    profileFolder: null,
    signal: new AbortController().signal,
    say: () => undefined,
  }

  it('tells all who wait for outcomes', async () => {
    const counterpart = await startNghttpd(files)
    try {
      await withDaemon(stage, counterpart.url, (daemon) =>
        Promise.all([
          daemon.outcomes(1000),
          daemon.moreOutcomes(),
          daemon.outcomes(1000),
          handInBulk(daemon, 1000),
        ]),
      )
    } finally {
      await counterpart.stop()
    }
  })

  it('counts for nothing when one device token is answered 404', async () => {
    const path = join(FILES.documents(files.folder), '3', 'device', DEVICE_TOKENS[7] ?? '')
    rmSync(path)
    const counterpart = await startNghttpd(files)
    try {
      await assert.rejects(
        runBulkXmlRpc(stage, counterpart.url, 1000),
        (error) => error instanceof BenchError && /not all were accepted: 1 × /.test(error.message),
      )
      assert.ok(!readdirSync(files.folder).includes('data'))
    } finally {
      await counterpart.stop()
    }
  })

  it('fails with what the daemon said when it does not come to serve', async () => {
    writeFileSync(dataFolderOf(stage), 'no folder')
    try {
      await assert.rejects(
        startDaemon(stage, 'https://127.0.0.1:1'),
        (error) => error instanceof BenchError && /ended: .*data/s.test(error.message),
      )
    } finally {
      rmSync(dataFolderOf(stage))
    }
  })
})
