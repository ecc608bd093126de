import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { Database } from '../../packages/apnsd/src/base/database.ts'
import { GroupCommit } from '../../packages/apnsd/src/base/group-commit.ts'
import { QUEUE_MIGRATIONS } from '../../packages/apnsd/src/queue/sqlite/migrations.ts'
import { SqliteArchive } from '../../packages/apnsd/src/queue/sqlite/sqlite-archive.ts'
import { SqliteQueue } from '../../packages/apnsd/src/queue/sqlite/sqlite-queue.ts'
import type { QueueFixture, QueueParts } from './queue-stage.ts'

/** Opens the queue in SQLite in a folder, which is removed with it. */
export function openSqliteQueue(folder: string, parts: QueueParts): QueueFixture {
  const { clock, sink, limits } = parts
  const database = Database.open(join(folder, 'queue.db'), QUEUE_MIGRATIONS)
  const commits = new GroupCommit(database, 0)
  const queue = new SqliteQueue(database, commits, clock, sink, limits, (_rowId, error) => {
    throw error
  })
  return {
    queue,
    archive: new SqliteArchive(database, commits, clock, (rowId) => queue.outcomesInHand(rowId)),
    // nothing is written at closing that was not written before, so a new handle sees what a new process would
    crash: async () => {
      database.close()
      return openSqliteQueue(folder, parts)
    },
    close: async () => {
      database.close()
      rmSync(folder, { recursive: true })
    },
  }
}
