import assert from 'node:assert/strict'
import { mkdtempSync, renameSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { afterEach, beforeEach, describe, it, mock } from 'node:test'
import { Database } from '../base/database.ts'
import { createLog } from '../base/log.ts'
import { StorageError } from '../base/storage-error.ts'
import { Health } from '../core/health.ts'
import { STORAGE_HEALTH_MIGRATIONS, StorageHealth } from './storage-health.ts'

describe('StorageHealth', () => {
  let folder = ''
  let path = ''
  let database: Database
  let health: Health
  let storage: StorageHealth
  beforeEach(() => {
    mock.timers.enable({ apis: ['setTimeout', 'Date'] })
    folder = mkdtempSync(join(tmpdir(), 'apnsd-health-'))
    path = join(folder, 'test.db')
    database = Database.open(path, STORAGE_HEALTH_MIGRATIONS)
    const clock = { now: () => Date.now(), elapsed: () => Date.now() }
    health = new Health(createLog('silent'), clock)
    storage = new StorageHealth(database, health, clock)
  })
  afterEach(() => {
    storage.close()
    database.close()
    rmSync(folder, { recursive: true })
    mock.timers.reset()
  })

  const codes = (): string[] => health.view().problems.map(({ code }) => code)

  /** Has every write fail until it is called off. */
  function block(): () => void {
    const other = new DatabaseSync(path)
    other.exec('BEGIN IMMEDIATE')
    return () => other.close()
  }

  it('reports a call that failed at once, and a probe that passes', () => {
    const unblock = block()
    assert.throws(() => database.transaction(() => undefined), StorageError)
    assert.deepEqual(codes(), ['busy'])
    mock.timers.tick(1000)
    assert.deepEqual(codes(), ['busy'])
    unblock()
    mock.timers.tick(1000)
    assert.deepEqual(codes(), [])
  })

  it('probes ever more seldom where the disk goes on and off, so that the log is not flooded', () => {
    const untilWellMs: number[] = []
    for (let round = 0; round < 9; round += 1) {
      const unblock = block()
      assert.throws(() => database.transaction(() => undefined), StorageError)
      unblock()
      const failedAtMs = Date.now()
      while (codes().length > 0) mock.timers.tick(1000)
      untilWellMs.push(Date.now() - failedAtMs)
    }
    assert.deepEqual(
      untilWellMs,
      [1, 2, 4, 8, 16, 32, 60, 60, 60].map((seconds) => seconds * 1000),
    )
    mock.timers.tick(120_000)
    const unblock = block()
    assert.throws(() => database.transaction(() => undefined), StorageError)
    unblock()
    mock.timers.tick(1000)
    assert.deepEqual(codes(), [])
  })

  it('finds a fault without traffic when it is asked, and asks the disk at most every five seconds', () => {
    const unblock = block()
    mock.timers.tick(4000)
    storage.refresh()
    assert.deepEqual(codes(), [])
    mock.timers.tick(1000)
    storage.refresh()
    assert.deepEqual(codes(), ['busy'])
    unblock()
    mock.timers.tick(1000)
    const { commits } = database
    storage.refresh()
    assert.equal(database.commits, commits)
  })

  it('refuses what is new while the file is not in its place', async () => {
    storage.checkRoom()
    renameSync(path, `${path}.moved`)
    // calls of one turn of the event loop share a look
    await new Promise((resolve) => setImmediate(resolve))
    assert.throws(() => storage.checkRoom(), /moved or deleted/)
    assert.deepEqual(codes(), ['missing'])
    renameSync(`${path}.moved`, path)
    storage.checkRoom()
    mock.timers.tick(1000)
    assert.deepEqual(codes(), [])
  })

  it('gives back what a probe took', () => {
    const unblock = block()
    assert.throws(() => database.transaction(() => undefined), StorageError)
    unblock()
    mock.timers.tick(1000)
    assert.equal(database.get('SELECT length(ballast) AS bytes FROM probe')?.['bytes'], 0)
  })

  it('says how much room there is', () => {
    const { storage: facts } = health.view().facts
    assert.ok(Number(facts?.['freeBytes']) > 0)
    assert.ok(Number(facts?.['fileBytes']) > 0)
  })
})
