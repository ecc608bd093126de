/** SOAK_MINUTES makes it longer than two minutes, SOAK_SEED repeats one; `npm run soak` is the same at a shell. */

import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { judge } from '../soak/judge.ts'
import { soak } from '../soak/soak.ts'
import { seedFrom } from '../support/seeded-random.ts'

const minutes = Number(process.env['SOAK_MINUTES'] ?? 2)
const seed = seedFrom('SOAK_SEED')
/** Little enough to leave room for the tests beside it. */
const RATE = 500

describe('a daemon under load for a while, with an Apple that misbehaves', () => {
  it(`loses nothing, leaves nothing waiting and does not grow in ${minutes} minutes (seed ${seed})`, async (t) => {
    const report = await soak({ minutes, seed, rate: RATE, say: (line) => t.diagnostic(line) })
    const { memory: _, problems: __, ...counts } = report
    t.diagnostic(JSON.stringify(counts))
    assert.deepEqual(judge(report), [])
  })
})
