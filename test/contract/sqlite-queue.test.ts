import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describeQueueContract } from './queue-contract.ts'
import { openSqliteQueue } from './sqlite-fixture.ts'

describeQueueContract('SQLite', async (parts) =>
  openSqliteQueue(mkdtempSync(join(tmpdir(), 'apnsd-queue-')), parts),
)
