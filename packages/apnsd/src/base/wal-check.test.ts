import assert from 'node:assert/strict'
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { after, before, describe, it } from 'node:test'
import { hasLostCommits } from './wal-check.ts'

const HEADER_BYTES = 32
const FRAME_BYTES = 24 + 4096
/** Commits of one row each, of which every one needs a frame or more. */
const COMMITS = 20

describe('hasLostCommits', () => {
  let folder = ''
  let log: Buffer
  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'apnsd-log-'))
    const path = join(folder, 'original.db')
    const database = new DatabaseSync(path)
    database.exec('PRAGMA journal_mode = WAL; CREATE TABLE things (b BLOB)')
    for (let commit = 0; commit < COMMITS; commit += 1)
      database.exec('INSERT INTO things VALUES (zeroblob(5000))')
    copyFileSync(path, join(folder, 'copy.db'))
    log = readFileSync(`${path}-wal`)
    database.close()
  })
  after(() => rmSync(folder, { recursive: true }))

  /** What SQLite, and then we, make of a log. */
  function judge(bytes: Uint8Array): { rows: number; isLost: boolean } {
    const path = join(folder, 'judged.db')
    rmSync(`${path}-shm`, { force: true })
    copyFileSync(join(folder, 'copy.db'), path)
    writeFileSync(`${path}-wal`, bytes)
    const isLost = hasLostCommits(`${path}-wal`)
    const database = new DatabaseSync(path)
    const table = database.prepare(`SELECT 1 FROM sqlite_schema WHERE name = 'things'`).get()
    const row = table && database.prepare('SELECT count(*) AS n FROM things').get()
    database.close()
    return { rows: Number(row?.['n'] ?? 0), isLost }
  }

  const flipped = (offset: number): Buffer => {
    const bytes = Buffer.from(log)
    bytes.writeUInt8(bytes.readUInt8(offset) ^ 0xff, offset)
    return bytes
  }

  it('finds nothing lost in a log that is whole', () => {
    assert.deepEqual(judge(log), { rows: COMMITS, isLost: false })
  })

  it('finds nothing lost in a log that was cut off anywhere, as by a power cut', () => {
    for (let bytes = 0; bytes <= log.length; bytes += 1024)
      assert.equal(judge(log.subarray(0, bytes)).isLost, false, `cut at ${bytes}`)
  })

  it('finds nothing lost where only the last commit is not whole', () => {
    const { rows, isLost } = judge(flipped(log.length - FRAME_BYTES + 100))
    assert.deepEqual({ rows, isLost }, { rows: COMMITS - 1, isLost: false })
  })

  it('finds out that a damaged byte made SQLite drop commits, wherever it is', () => {
    const end = log.length - 6 * FRAME_BYTES
    for (let offset = HEADER_BYTES + 50; offset < end; offset += FRAME_BYTES) {
      const { rows, isLost } = judge(flipped(offset))
      assert.ok(rows < COMMITS - 1)
      assert.equal(isLost, true, `damaged at ${offset}`)
    }
  })

  it('finds out that the header is damaged', () => {
    assert.deepEqual(judge(flipped(1)), { rows: 0, isLost: true })
    assert.deepEqual(judge(flipped(17)), { rows: 0, isLost: true })
  })

  it('takes a log of nothing but zeros for one that had only been made', () => {
    assert.equal(judge(Buffer.alloc(log.length)).isLost, false)
  })
})
