import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { createLog } from '../base/log.ts'
import type { OutcomeArchive } from '../core/ports.ts'
import { Retention } from './retention.ts'

const NOW_MS = 1_000_000

/** Chunks by when they ended, a hundred bytes each. */
function archiveOf(endedAtMs: number[]): Pick<OutcomeArchive, 'forget' | 'usedBytes'> {
  return {
    forget: async (endedBeforeMs, limit) => {
      const goes = endedAtMs.filter((at) => at < endedBeforeMs).slice(0, limit)
      endedAtMs.splice(0, goes.length)
      return goes.length
    },
    usedBytes: () => endedAtMs.length * 100,
  }
}

async function sweep(endedAtMs: number[], limits: { keepMs: number; maxBytes: number }) {
  const clock = { now: () => NOW_MS, elapsed: () => 0 }
  await new Retention(archiveOf(endedAtMs), clock, limits, createLog('silent')).sweep()
  return endedAtMs
}

const minutesAgo = (minutes: number): number => NOW_MS - minutes * 60_000

describe('Retention', () => {
  it('forgets what is older than it is to be kept, however many there are', async () => {
    const many = Array.from({ length: 1000 }, () => minutesAgo(11))
    const left = await sweep([...many, minutesAgo(10), minutesAgo(1)], {
      keepMs: 10 * 60_000,
      maxBytes: 1_000_000,
    })
    assert.deepEqual(left, [minutesAgo(10), minutesAgo(1)])
  })

  it('forgets the oldest sooner where all together take too much room', async () => {
    const fresh = Array.from({ length: 1000 }, (_, index) => minutesAgo(1) + index)
    const left = await sweep(fresh, { keepMs: 10 * 60_000, maxBytes: 50_000 })
    // a commit's worth at a time
    assert.equal(left.length, 400)
    assert.equal(left.at(-1), minutesAgo(1) + 999)
  })

  it('does not go on for ever where what waits alone takes too much', async () => {
    const clock = { now: () => NOW_MS, elapsed: () => 0 }
    const full = { forget: async () => 0, usedBytes: () => 1_000_000 }
    const limits = { keepMs: 1, maxBytes: 1 }
    await new Retention(full, clock, limits, createLog('silent')).sweep()
  })
})
