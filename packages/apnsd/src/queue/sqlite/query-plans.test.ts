import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { it } from 'node:test'
import { Database } from '../../base/database.ts'
import { GroupCommit } from '../../base/group-commit.ts'
import { QUEUE_MIGRATIONS } from './migrations.ts'
import { SqliteArchive } from './sqlite-archive.ts'
import { SqliteQueue } from './sqlite-queue.ts'

/** Read once, at the start: what waits, from an index alone, and the campaigns in it, of which there are few. */
const AT_THE_START = [/^SELECT app_id, sum\(waiting\)/, /^SELECT app_id, batch_id, lane/]

it('no query of the queue reads a whole table, or sorts what it has found', (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'apnsd-plans-'))
  const database = Database.open(join(folder, 'plans.db'), QUEUE_MIGRATIONS)
  t.after(() => {
    database.close()
    rmSync(folder, { recursive: true })
  })
  const queries = new Set<string>()
  const prepare = database.prepare.bind(database)
  t.mock.method(database, 'prepare', (sql: string) => {
    queries.add(sql.trim())
    return prepare(sql)
  })
  const clock = { now: () => 0, elapsed: () => 0 }
  const commits = new GroupCommit(database)
  const limits = { maxNotifications: 1, maxBytes: 1 }
  const queue = new SqliteQueue(database, commits, clock, { record() {} }, limits, () => undefined)
  assert.ok(new SqliteArchive(database, commits, clock, (rowId) => queue.outcomesInHand(rowId)))
  let looked = 0
  for (const sql of queries) {
    if (!sql.startsWith('SELECT') && !sql.startsWith('DELETE') && !sql.startsWith('UPDATE'))
      continue
    if (AT_THE_START.some((pattern) => pattern.test(sql))) continue
    looked += 1
    for (const { detail } of prepare(`EXPLAIN QUERY PLAN ${sql}`).all())
      assert.doesNotMatch(String(detail), /^SCAN|TEMP B-TREE/, sql)
  }
  assert.ok(looked > 15, `${looked} queries`)
})
