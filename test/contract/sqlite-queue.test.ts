import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Database } from '../../packages/apnsd/src/base/database.ts'
import type { Clock, OutcomeSink } from '../../packages/apnsd/src/core/ports.ts'
import { QUEUE_MIGRATIONS } from '../../packages/apnsd/src/queue/sqlite/migrations.ts'
import { SqliteQueue } from '../../packages/apnsd/src/queue/sqlite/sqlite-queue.ts'
import { describeQueueContract, type QueueFixture } from './queue-contract.ts'

function open(folder: string, clock: Clock, sink: OutcomeSink): QueueFixture {
  const database = Database.open(join(folder, 'queue.db'), QUEUE_MIGRATIONS)
  return {
    queue: new SqliteQueue(database, clock, sink),
    // nothing is written at closing that was not written before, so a new handle sees what a new process would
    crash: async () => {
      database.close()
      return open(folder, clock, sink)
    },
    close: async () => {
      database.close()
      rmSync(folder, { recursive: true })
    },
  }
}

describeQueueContract('SQLite', async (clock, sink) =>
  open(mkdtempSync(join(tmpdir(), 'apnsd-queue-')), clock, sink),
)
