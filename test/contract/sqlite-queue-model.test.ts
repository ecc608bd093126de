import { existsSync, mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import fc from 'fast-check'
import { QueueModel, STEPS } from './queue-model.ts'
import { openSqliteQueue } from './sqlite-fixture.ts'

const runs = Number(process.env['MODEL_RUNS'] ?? 200)
/** In memory where that can be: here it is not the disk that is tried, and it would be most of the time. */
const ROOT = existsSync('/dev/shm') ? '/dev/shm' : tmpdir()

test(`any order of enqueue, lease, reply, crash, cancel and expiry loses nothing and settles nothing twice (${runs} runs)`, async () => {
  await fc.assert(
    fc.asyncProperty(STEPS, async (steps) => {
      const folder = mkdtempSync(join(ROOT, 'apnsd-model-'))
      await new QueueModel(async (parts) => openSqliteQueue(folder, parts)).run(steps)
    }),
    { numRuns: runs },
  )
})
