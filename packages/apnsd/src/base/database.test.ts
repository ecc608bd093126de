import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { afterEach, beforeEach, describe, it } from 'node:test'
import { Database, type Migration } from './database.ts'
import { ApnsdError } from './errors.ts'
import { FolderLock } from './folder-lock.ts'
import { GroupCommit } from './group-commit.ts'

const MIGRATIONS: readonly Migration[] = [
  { component: 'test', number: 1, sql: 'CREATE TABLE things (name TEXT PRIMARY KEY) STRICT' },
]

let folder = ''
let path = ''
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'apnsd-database-'))
  path = join(folder, 'test.db')
})
afterEach(() => rmSync(folder, { recursive: true }))

const storageFailed = (pattern: RegExp) => (error: unknown) =>
  error instanceof ApnsdError && error.code === 'storage-failed' && pattern.test(error.message)

describe('Database', () => {
  it('has every commit on the disk before it returns', () => {
    const database = Database.open(path, MIGRATIONS)
    assert.equal(database.get('PRAGMA journal_mode')?.['journal_mode'], 'wal')
    assert.equal(database.get('PRAGMA synchronous')?.['synchronous'], 2)
    database.close()
  })

  it('applies each migration once, and new ones to an old file', () => {
    Database.open(path, MIGRATIONS).close()
    const more = [
      ...MIGRATIONS,
      { component: 'test', number: 2, sql: 'ALTER TABLE things ADD size INTEGER' },
    ]
    const database = Database.open(path, more)
    database.prepare('INSERT INTO things (name, size) VALUES (?, ?)').run('a', 1)
    database.close()
  })

  it('refuses a file that is not ours, not SQLite, or from a newer version, and leaves it as it is', () => {
    const foreign = join(folder, 'foreign.db')
    const other = new DatabaseSync(foreign)
    other.exec('CREATE TABLE theirs (x)')
    other.close()
    assert.throws(
      () => Database.open(foreign, MIGRATIONS),
      storageFailed(/not a data file of apnsd/),
    )
    writeFileSync(path, 'this is a letter, not a database. '.repeat(100))
    assert.throws(() => Database.open(path, MIGRATIONS), storageFailed(/not an SQLite file/))
    const newer = join(folder, 'newer.db')
    Database.open(newer, MIGRATIONS).close()
    const raised = new DatabaseSync(newer)
    raised.exec('PRAGMA user_version = 99')
    raised.close()
    assert.throws(() => Database.open(newer, MIGRATIONS), storageFailed(/newer apnsd/))
  })

  it('keeps nothing of a transaction that throws', () => {
    const database = Database.open(path, MIGRATIONS)
    assert.throws(() =>
      database.transaction(() => {
        database.prepare('INSERT INTO things VALUES (?)').run('a')
        throw new Error('no')
      }),
    )
    assert.equal(database.get('SELECT count(*) AS n FROM things')?.['n'], 0)
    database.close()
  })

  it('says that the disk is full, and goes on when there is room again', () => {
    const database = Database.open(path, [
      { component: 'test', number: 1, sql: 'CREATE TABLE blobs (b BLOB)' },
    ])
    const pages = Number(database.get('PRAGMA page_count')?.['page_count'])
    database.get(`PRAGMA max_page_count = ${pages + 2}`)
    const insert = (): void => {
      database.transaction(() =>
        database.prepare('INSERT INTO blobs VALUES (zeroblob(1000000))').run(),
      )
    }
    assert.throws(insert, storageFailed(/the disk is full/))
    database.get('PRAGMA max_page_count = 1000000')
    insert()
    database.close()
  })
})

describe('GroupCommit', () => {
  it('commits what comes in one turn together, and resolves each', async () => {
    const database = Database.open(path, MIGRATIONS)
    const commits = new GroupCommit(database)
    const insert = database.prepare('INSERT INTO things VALUES (?)')
    await Promise.all(['a', 'b', 'c'].map((name) => commits.run(() => insert.run(name))))
    assert.equal(database.get('SELECT count(*) AS n FROM things')?.['n'], 3)
    database.close()
  })

  it('rejects all of a group when one fails, keeps none, and takes the next', async () => {
    const database = Database.open(path, MIGRATIONS)
    const commits = new GroupCommit(database)
    const insert = database.prepare('INSERT INTO things VALUES (?)')
    const results = await Promise.allSettled(
      ['a', 'b', 'a'].map((name) => commits.run(() => insert.run(name))),
    )
    assert.deepEqual(
      results.map(({ status }) => status),
      ['rejected', 'rejected', 'rejected'],
    )
    assert.equal(database.get('SELECT count(*) AS n FROM things')?.['n'], 0)
    await commits.run(() => insert.run('a'))
    assert.equal(database.get('SELECT count(*) AS n FROM things')?.['n'], 1)
    database.close()
  })
})

describe('FolderLock', () => {
  it('lets one in at a time', () => {
    const lock = FolderLock.take(folder)
    assert.throws(
      () => FolderLock.take(folder),
      (error) => error instanceof ApnsdError && error.code === 'data-folder-in-use',
    )
    lock.release()
    FolderLock.take(folder).release()
  })

  it('says when the folder cannot be written to', () => {
    assert.throws(
      () => FolderLock.take(join(folder, 'absent')),
      storageFailed(/absent cannot be used: it is not there/),
    )
  })
})
