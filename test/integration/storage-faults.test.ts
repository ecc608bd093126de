import assert from 'node:assert/strict'
import { execFileSync, spawnSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import {
  chmodSync,
  closeSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { afterEach, beforeEach, describe, it } from 'node:test'
import { isDeepStrictEqual } from 'node:util'
import { mayMount } from '../support/shortage.ts'
import { DEVICE_TOKEN, Stage } from '../support/stage.ts'
import { missing } from '../support/system-parts.ts'

const PAGE_BYTES = 4096
const payload = (alert: string) => ({ aps: { alert } })

/** Makes file modes count for root as well, by taking its powers away. */
const UNPRIVILEGED: readonly string[] =
  process.getuid?.() === 0 ? ['setpriv', '--inh-caps=-all', '--bounding-set=-all'] : []

let stage: Stage
let file = ''
beforeEach(async () => {
  stage = await Stage.prepare()
  file = join(stage.dataFolder, 'apnsd.db')
})
afterEach(() => stage.close())

/** A data folder that has been used: an app, and a notification that was delivered. */
async function useFolder(): Promise<string> {
  await stage.startDaemon()
  await stage.provision()
  await stage.call('notify', 'myapp', DEVICE_TOKEN, payload('before'))
  const [taken] = await stage.settled(1)
  return taken?.apnsId ?? ''
}

const numbered = (index: number): string => index.toString(16).padStart(64, '0')

/** In one call, to as many devices. */
async function notifyMany(count: number): Promise<void> {
  const one = payload('many')
  const deviceTokens = Array.from({ length: count }, (_, index) => numbered(index))
  const payloads = deviceTokens.map(() => one)
  await stage.call('notify', 'myapp', deviceTokens, payloads)
}

async function assertDoesNotStart(sentence: RegExp, under: readonly string[] = []): Promise<void> {
  await assert.rejects(stage.startDaemon(stage.simulator.url, { under }), (error: Error) => {
    assert.match(error.message, /^apnsd serve ended with 7: apnsd: [^\n]+\n$/)
    assert.match(error.message, sentence)
    assert.ok(error.message.includes(stage.dataFolder), `${error.message} names no file`)
    return true
  })
}

const fails = (check: string, code: string) =>
  stage.daemon
    .waitForLog((line) => line.msg === 'a check fails' && line['check'] === check)
    .then((line) => assert.equal(line['code'], code))

const passesAgain = () =>
  stage.daemon.waitForLog(({ msg, check }) => msg === 'a check passes again' && check === 'storage')

describe('a data folder that cannot be used', () => {
  it('cannot be made: below a file, or below a folder that is closed to the daemon', async () => {
    writeFileSync(stage.dataFolder, '')
    await assertDoesNotStart(/cannot be made|cannot be used/)
    rmSync(stage.dataFolder)
    chmodSync(stage.folder, 0o500)
    await assertDoesNotStart(
      /cannot be made: the daemon’s user may not read and write there/,
      UNPRIVILEGED,
    )
    chmodSync(stage.folder, 0o700)
  })

  it('is closed to the daemon, or one of its files is', async () => {
    await useFolder()
    await stage.daemon.kill()
    for (const [path, mode, was] of [
      [stage.dataFolder, 0o500, 0o700],
      [file, 0o400, 0o600],
      [`${file}-wal`, 0o400, 0o600],
      [join(stage.dataFolder, 'lock.db'), 0o400, 0o600],
    ] as const) {
      chmodSync(path, mode)
      await assertDoesNotStart(/may not read and write there/, UNPRIVILEGED)
      chmodSync(path, was)
    }
    await stage.startDaemon()
  })

  // elsewhere the modes above must do
  if (mayMount()) it('is on a disk that is mounted read-only', whileMountedReadOnly)
  async function whileMountedReadOnly(): Promise<void> {
    mkdirSync(stage.dataFolder)
    execFileSync('mount', ['-t', 'tmpfs', 'tmpfs', stage.dataFolder])
    try {
      await useFolder()
      await stage.daemon.kill()
      execFileSync('mount', ['-o', 'remount,ro', stage.dataFolder])
      await assertDoesNotStart(/the file or its disk is read-only/)
      execFileSync('mount', ['-o', 'remount,rw', stage.dataFolder])
      await stage.startDaemon()
      await stage.endDaemon()
    } finally {
      execFileSync('umount', [stage.dataFolder])
    }
  }

  it('is in use by another daemon, which goes on', async () => {
    const apnsId = await useFolder()
    const first = stage.daemon
    await assert.rejects(
      stage.startDaemon(),
      /ended with 7: apnsd: Another apnsd uses the data folder/,
    )
    stage.daemon = first
    await stage.call('notify', 'myapp', DEVICE_TOKEN, payload('after'))
    await stage.settled(2)
    assert.equal((await stage.outcome(apnsId)).state, 'accepted')
  })
})

describe('a data file that is damaged', () => {
  it('stops the start, is left as it is, and nothing is begun afresh', async () => {
    await useFolder()
    await stage.daemon.stop()
    const whole = readFileSync(file)
    for (const [damage, sentence] of [
      [() => truncateSync(file, 0), /is empty, which it never is\. Put a copy of it back/],
      [
        () => truncateSync(file, whole.length / 2),
        /is damaged\. Put a copy back\. Or save what can be read, move/,
      ],
      [() => overwrite(file, 4096, randomBytes(8192)), /is damaged\. Put a copy back/],
      [() => writeFileSync(file, 'a letter to SQLite. '.repeat(1000)), /is not an SQLite file/],
      [
        () => overwrite(file, 60, Buffer.from([0, 0, 0, 99])),
        /was written by a newer apnsd\. Start that version/,
      ],
    ] as const) {
      damage()
      const damaged = readFileSync(file)
      await assertDoesNotStart(sentence)
      assert.ok(readFileSync(file).equals(damaged), 'the file was changed')
      writeFileSync(file, whole)
    }
    await stage.startDaemon()
  })

  it('stops the start where its log is damaged, instead of dropping what was accepted', async () => {
    await useFolder()
    for (const alert of ['one', 'two', 'three'])
      await stage.call('notify', 'myapp', DEVICE_TOKEN, payload(alert))
    await stage.settled(4)
    await stage.daemon.kill()
    const log = readFileSync(`${file}-wal`)
    overwrite(`${file}-wal`, Math.floor(log.length / 2), randomBytes(64))
    const damaged = readFileSync(`${file}-wal`)
    for (let round = 0; round < 2; round += 1)
      await assertDoesNotStart(/-wal is damaged: commits in it are lost\. Put copies/)
    assert.ok(readFileSync(`${file}-wal`).equals(damaged), 'the log was changed')
    const copies = join(stage.folder, 'copies.db')
    writeFileSync(copies, readFileSync(file))
    writeFileSync(`${copies}-wal`, damaged)
    writeFileSync(`${file}-wal`, log)
    renameSync(file, `${file}.gone`)
    await assertDoesNotStart(/is missing, but its log \S+-wal is there/)
    renameSync(`${file}.gone`, file)
    await stage.startDaemon()
    await stage.daemon.stop()
    // the other way on that the refusal names
    const other = new DatabaseSync(copies)
    other.exec('PRAGMA wal_checkpoint(TRUNCATE)')
    other.close()
    renameSync(copies, file)
    await stage.startDaemon()
  })

  it('can be saved the way that the daemon says', { skip: missing('sqlite3') }, async () => {
    await useFolder()
    await notifyMany(2000)
    await stage.call('notify', 'myapp', DEVICE_TOKEN, payload('after'))
    const taken = await stage.simulator.waitForNotifications(2002)
    await stage.daemon.stop()
    const [page] = overflowPages(file)
    overwrite(file, ((page ?? 0) - 1) * PAGE_BYTES, randomBytes(PAGE_BYTES))
    const advice = await stage.startDaemon().then(
      () => '',
      (error: Error) => error.message,
    )
    const [command = ''] = /\(sqlite3 .+\.saved/.exec(advice) ?? []
    assert.equal(spawnSync('sh', ['-c', command]).status, 0)
    renameSync(file, `${file}.damaged`)
    renameSync(`${file}.saved`, file)
    await stage.startDaemon()
    const statusOf = async (deviceToken: string, alert: string): Promise<number> => {
      const sent = taken.find(
        (one) => one.deviceToken === deviceToken && isDeepStrictEqual(one.payload, payload(alert)),
      )
      const { status } = await fetch(`${stage.daemon.url}/v1/notifications/${sent?.apnsId}`)
      return status
    }
    // the chunk that was damaged is gone; what stood around it is there
    assert.equal(await statusOf(DEVICE_TOKEN, 'before'), 200)
    const chunks = new Set([
      await statusOf(numbered(0), 'many'),
      await statusOf(numbered(1999), 'many'),
    ])
    assert.deepEqual(chunks, new Set([200, 404]))
    assert.equal(await statusOf(DEVICE_TOKEN, 'after'), 200)
  })
})

describe('a running daemon', () => {
  it('answers a call that meets damage with storage-failed, and serves the rest', async () => {
    const before = await useFolder()
    await notifyMany(1000)
    const [, first] = await stage.simulator.waitForNotifications(1001)
    // once they are in the log, outcomes are on the disk and nowhere else
    await stage.daemon.waitForLog(
      ({ msg, accepted }) => msg === 'outcomes' && Number(accepted) >= 1000,
    )
    damageWhileInUse(file)
    const damaged = await fetch(`${stage.daemon.url}/v1/notifications/${first?.apnsId}`)
    assert.equal(damaged.status, 503)
    assert.equal(damaged.headers.get('retry-after'), null)
    assert.equal(((await damaged.json()) as { code: string }).code, 'storage-failed')
    assert.equal((await stage.outcome(before)).state, 'accepted')
    await fails('data file', 'damaged')
    const view = await fetch(`${stage.daemon.url}/readyz`)
    assert.equal(view.status, 200)
    await stage.call('notify', 'myapp', DEVICE_TOKEN, payload('after'))
    const all = await stage.simulator.waitForNotifications(1002)
    assert.deepEqual(all.at(-1)?.payload, payload('after'))
  })

  it('takes nothing while its data file is moved away, and goes on when it is back', async () => {
    await useFolder()
    renameSync(file, `${file}.moved`)
    await assert.rejects(
      stage.call('notify', 'myapp', DEVICE_TOKEN, payload('refused')),
      /The data file was moved or deleted under the daemon/,
    )
    await fails('storage', 'missing')
    renameSync(`${file}.moved`, file)
    await passesAgain()
    await stage.call('notify', 'myapp', DEVICE_TOKEN, payload('after'))
    const [, after] = await stage.settled(2)
    assert.deepEqual(after?.payload, payload('after'))
  })

  it('refuses while another process writes to its file, and goes on afterwards', async () => {
    await useFolder()
    const other = new DatabaseSync(file, { timeout: 5000 })
    other.exec('BEGIN IMMEDIATE')
    await assert.rejects(
      stage.call('notify', 'myapp', DEVICE_TOKEN, payload('refused')),
      /another process holds the data file/,
    )
    other.exec('ROLLBACK')
    other.close()
    await passesAgain()
    await stage.call('notify', 'myapp', DEVICE_TOKEN, payload('after'))
    const [, after] = await stage.settled(2)
    assert.deepEqual(after?.payload, payload('after'))
  })
})

function overwrite(path: string, offset: number, bytes: Uint8Array): void {
  const handle = openSync(path, 'r+')
  writeSync(handle, bytes, 0, bytes.length, offset)
  closeSync(handle)
}

/** Where the file keeps what is too long for one page: device tokens of a large chunk. In order. */
function overflowPages(path: string): number[] {
  const other = new DatabaseSync(path)
  const rows = other
    .prepare(
      `SELECT pageno FROM dbstat WHERE pagetype = 'overflow' AND name <> 'apps' ORDER BY pageno`,
    )
    .all()
  other.close()
  return rows.map(({ pageno }) => Number(pageno))
}

/** Damages all that is long, after it has left the log and the daemon's cache, as a commit of another process makes it. */
function damageWhileInUse(path: string): void {
  const pages = overflowPages(path)
  const other = new DatabaseSync(path)
  other.exec(`CREATE TABLE somebody_elses (x); DROP TABLE somebody_elses`)
  other.exec('PRAGMA wal_checkpoint(PASSIVE)')
  other.close()
  for (const page of pages) overwrite(path, (page - 1) * PAGE_BYTES, randomBytes(PAGE_BYTES))
}
