import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { ApnsdError } from '../../packages/apnsd/src/base/errors.ts'
import { codeIs, makeChunks, type QueueStage, START_MS } from './queue-stage.ts'

const KEY = { appId: 'app', key: 'k1', digest: 'd1', answer: 'the answer' }

export function describeQueueBounds(stage: QueueStage): void {
  describe('calls that come twice', () => {
    it('enqueues once, and answers the same again, through a crash too', async () => {
      const chunks = makeChunks('app', 2)
      assert.deepEqual(await stage.queue.enqueue(chunks, KEY), { type: 'enqueued' })
      await stage.crash()
      const again = await stage.queue.enqueue(makeChunks('app', 2), { ...KEY, answer: 'other' })
      assert.deepEqual(again, { type: 'repeated', answer: 'the answer' })
      assert.equal(stage.queue.depth().notifications, 2)
      assert.equal((await stage.leaseAll('small')).length, 1)
    })

    it('knows a different call under the same key', async () => {
      await stage.queue.enqueue(makeChunks('app', 1), KEY)
      const other = await stage.queue.enqueue(makeChunks('app', 1), { ...KEY, digest: 'd2' })
      assert.deepEqual(other, { type: 'conflict' })
      assert.equal(stage.queue.depth().notifications, 1)
    })

    it('enqueues once when both come at the same moment', async () => {
      const both = await Promise.all([
        stage.queue.enqueue(makeChunks('app', 1), KEY),
        stage.queue.enqueue(makeChunks('app', 1), KEY),
      ])
      assert.deepEqual(both.map(({ type }) => type).sort(), ['enqueued', 'repeated'])
      assert.equal((await stage.leaseAll('small')).length, 1)
    })

    it('keeps keys by app, and for a day', async () => {
      await stage.queue.enqueue(makeChunks('app', 1), KEY)
      const elsewhere = await stage.queue.enqueue(makeChunks('b', 1), { ...KEY, appId: 'b' })
      assert.equal(elsewhere.type, 'enqueued')
      stage.wait(24 * 3_600_000 - 1)
      assert.equal((await stage.queue.enqueue(makeChunks('app', 1), KEY)).type, 'repeated')
      stage.wait(1)
      assert.equal((await stage.queue.enqueue(makeChunks('app', 1), KEY)).type, 'enqueued')
    })
  })

  describe('limits', () => {
    it('says how much waits, by app, and again after a crash', async () => {
      await stage.enqueueOne(3)
      await stage.queue.enqueue(makeChunks('b', 2))
      const before = stage.queue.depth()
      assert.equal(before.notifications, 5)
      assert.equal(before.byApp.get('app')?.notifications, 3)
      assert.ok(before.bytes > 5 * 32)
      const bytes = before.byApp.get('app')?.bytes
      await stage.crash()
      assert.equal(stage.queue.depth().byApp.get('app')?.bytes, bytes)
      const lease = await stage.leaseOne()
      lease.outcomes.settle(1, 'accepted')
      await stage.queue.progress(lease)
      assert.equal(stage.queue.depth().notifications, 4)
      lease.outcomes.settleRest('accepted')
      await stage.queue.ack(lease)
      await stage.queue.term(await stage.leaseOne('small', 'b'), 'cancelled')
      assert.deepEqual([stage.queue.depth().notifications, stage.queue.depth().bytes], [0, 0])
    })

    it('takes no more than it may hold, and takes again when there is room', async () => {
      // three quarters for one app
      await stage.queue.enqueue(makeChunks('app', 7500))
      await assert.rejects(stage.queue.enqueue(makeChunks('app', 1)), codeIs('queue-full'))
      await stage.queue.enqueue(makeChunks('b', 2500))
      await assert.rejects(stage.queue.enqueue(makeChunks('c', 1)), codeIs('queue-full'))
      assert.equal(stage.queue.depth().notifications, 10_000)
      await stage.queue.cancelApp('b')
      await stage.queue.enqueue(makeChunks('c', 1))
    })

    it('does not let calls that come together overfill it', async () => {
      const calls = Array.from({ length: 4 }, () =>
        stage.queue.enqueue(makeChunks('app', 2500)).then(
          () => 'taken',
          (error: ApnsdError) => error.code,
        ),
      )
      assert.deepEqual((await Promise.all(calls)).sort(), ['queue-full', 'taken', 'taken', 'taken'])
    })
  })

  describe('the archive', () => {
    it('counts a batch by state and reason', async () => {
      const { batchId } = await stage.enqueueOne(4, { ratePerS: null })
      const lease = await stage.leaseOne()
      lease.outcomes.settle(0, 'rejected', { status: 410, reason: 'Unregistered' })
      lease.outcomes.settle(1, 'accepted')
      lease.outcomes.retry(2, { attempts: 1, dueAtMs: stage.nowMs + 5, reason: 'TooManyRequests' })
      // a chunk in hand knows more than what is written down
      const record = await stage.archive.findBatch(batchId)
      assert.partialDeepStrictEqual(record?.counts, { waiting: 2, accepted: 1, rejected: 1 })
      assert.deepEqual(Object.fromEntries(record!.reasons), {
        TooManyRequests: 1,
        Unregistered: 1,
      })
    })

    it('lists a batch page by page', async () => {
      const [chunk] = makeChunks('app', 2500)
      await stage.queue.enqueue(makeChunks('app', 100))
      const chunks = makeChunks('app', 2500)
      await stage.queue.enqueue(chunks)
      const { batchId } = chunks[0]!
      const seen: number[] = []
      for (let first = 0; ; ) {
        const page = await stage.archive.list(batchId, first, 700)
        if (page.length === 0) break
        seen.push(...page.map(({ index }) => index))
        first = page.at(-1)!.index + 1
      }
      assert.deepEqual(
        seen,
        Array.from({ length: 2500 }, (_, index) => index),
      )
      assert.deepEqual(await stage.archive.list(chunk!.batchId, 0, 1), [])
    })

    it('forgets what ended long ago, the oldest first, and nothing that waits', async () => {
      const ended: string[] = []
      for (let turn = 0; turn < 3; turn += 1) {
        ended.push((await stage.enqueueOne(1)).batchId)
        const lease = await stage.leaseOne()
        lease.outcomes.settle(0, 'accepted')
        await stage.queue.ack(lease)
        stage.wait(1000)
      }
      const waiting = await stage.enqueueOne(1)
      stage.wait(1000)
      assert.equal(await stage.archive.forget(stage.nowMs, 2), 2)
      const isKnown = async (batchId: string) =>
        (await stage.archive.find(batchId, 0)) !== undefined
      assert.deepEqual(await Promise.all([...ended, waiting.batchId].map(isKnown)), [
        false,
        false,
        true,
        true,
      ])
      assert.equal(await stage.archive.forget(START_MS, 10), 0)
    })
  })
}
