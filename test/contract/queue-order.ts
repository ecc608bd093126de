import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Lease } from '../../packages/apnsd/src/core/ports.ts'
import { makeChunks, type QueueStage } from './queue-stage.ts'

export function describeQueueOrder(stage: QueueStage): void {
  describe('order', () => {
    const batchesOf = (leases: Lease[]): string[] => leases.map(({ chunk }) => chunk.batchId)

    it('serves the small lane by when they are due', async () => {
      const late = await stage.enqueueOne(1, { sendAtMs: stage.nowMs + 2000 })
      const first = await stage.enqueueOne(1)
      const second = await stage.enqueueOne(1)
      assert.deepEqual(batchesOf(await stage.leaseAll('small')), [first.batchId, second.batchId])
      stage.wait(2000)
      assert.deepEqual(batchesOf(await stage.leaseAll('small')), [late.batchId])
    })

    it('finds what is due though the wall clock was set back', async () => {
      const first = await stage.enqueueOne(1)
      assert.deepEqual(batchesOf(await stage.leaseAll('small')), [first.batchId])
      stage.nowMs -= 3_600_000
      const second = await stage.enqueueOne(1)
      assert.deepEqual(batchesOf(await stage.leaseAll('small')), [second.batchId])
    })

    it('lets the chunks of several campaigns take turns, also one that comes later', async () => {
      const [one, two] = [makeChunks('app', 4000), makeChunks('app', 2000)]
      await stage.queue.enqueue(one)
      const [lease] = await stage.queue.lease('app', 'large', 1000)
      await stage.queue.enqueue(two)
      const [a, b] = [one[0]!.batchId, two[0]!.batchId]
      assert.equal(lease?.chunk.batchId, a)
      const rest = batchesOf(await stage.leaseAll())
      assert.deepEqual(rest.slice(0, 4).filter((id) => id === b).length, 2)
      assert.equal(rest.length, 5)
    })

    it('lets a paced batch have its turn only when its pace allows, in chunks of a second', async () => {
      await stage.queue.enqueue(makeChunks('app', 40, { ratePerS: 10 }))
      const counts: number[] = []
      for (let second = 0; second < 4; second += 1) {
        const leases = await stage.leaseAll()
        counts.push(leases.reduce((sum, { outcomes }) => sum + outcomes.waiting, 0))
        assert.deepEqual(await stage.leaseAll(), [])
        for (const lease of leases) {
          lease.outcomes.settleRest('accepted')
          await stage.queue.ack(lease)
        }
        if (second < 3) assert.equal(await stage.queue.untilDueMs('app', 'large'), 1000)
        stage.wait(1000)
      }
      assert.deepEqual(counts, [10, 10, 10, 10])
    })

    it('holds back what is to be sent later, through a crash too', async () => {
      await stage.enqueueOne(200, { sendAtMs: stage.nowMs + 60_000 })
      await stage.crash()
      assert.deepEqual(await stage.leaseAll(), [])
      assert.equal(await stage.queue.untilDueMs('app', 'large'), 60_000)
      stage.wait(60_000)
      assert.equal((await stage.leaseAll()).length, 1)
    })
  })

  describe('cancelling and expiring', () => {
    it('cancels what waits of a batch, and what is in hand when it is given back', async () => {
      const chunks = makeChunks('app', 1500)
      await stage.queue.enqueue(chunks)
      await stage.enqueueOne(150)
      const [lease] = await stage.queue.lease('app', 'large', 1)
      assert.ok(lease !== undefined)
      const { batchId } = lease.chunk
      const other = lease.chunk.firstIndex === 0 ? 1200 : 0
      assert.equal(await stage.queue.cancel(batchId), 1500 - lease.outcomes.waiting)
      assert.equal((await stage.archive.find(batchId, other))?.state, 'cancelled')
      assert.equal((await stage.archive.find(batchId, other))?.attempts, 0)
      assert.equal(lease.isCancelled, true)
      lease.outcomes.settle(0, 'accepted')
      await stage.queue.nak(lease, 0)
      const { counts, isCancelled } = (await stage.archive.findBatch(batchId))!
      assert.equal(isCancelled, true)
      assert.deepEqual([counts.accepted, counts.cancelled, counts.waiting], [1, 1499, 0])
      assert.equal(stage.queue.depth().notifications, 150)
    })

    it('remembers through a crash that what was in hand is cancelled', async () => {
      const { batchId } = await stage.enqueueOne(2)
      await stage.leaseOne()
      await stage.queue.cancel(batchId)
      await stage.crash()
      const again = await stage.leaseOne()
      assert.equal(again.isCancelled, true)
      await stage.queue.nak(again, 0)
      assert.equal((await stage.archive.find(batchId, 1))?.state, 'cancelled')
      assert.deepEqual(await stage.queue.appsWithWork(), [])
    })

    it('cancels what waits for an app, and no other’s', async () => {
      await stage.enqueueOne(3)
      await stage.queue.enqueue(makeChunks('app', 1500))
      await stage.queue.enqueue(makeChunks('other', 1))
      assert.equal(await stage.queue.cancelApp('app'), 1503)
      assert.deepEqual(await stage.queue.appsWithWork(), ['other'])
      assert.deepEqual(await stage.leaseAll('small'), [])
      assert.deepEqual(await stage.leaseAll(), [])
    })

    it('ends what has expired while nobody held it', async () => {
      const { batchId } = await stage.enqueueOne(2, { expiresAtMs: stage.nowMs + 1000 })
      await stage.enqueueOne(1)
      assert.equal(await stage.queue.expire(10), 0)
      stage.wait(1000)
      assert.equal(await stage.queue.expire(10), 1)
      assert.equal((await stage.archive.find(batchId, 1))?.state, 'expired')
      assert.equal((await stage.leaseAll('small')).length, 1)
    })
  })
}
