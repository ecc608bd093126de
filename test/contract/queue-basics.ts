import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Chunk } from '../../packages/apnsd/src/core/notifications/chunk.ts'
import { codeIs, DEVICE_TOKEN, makeChunks, type QueueStage } from './queue-stage.ts'

export function describeQueueBasics(stage: QueueStage): void {
  describe('in and out', () => {
    it('gives back what was put in, whole and in order', async () => {
      const chunks = makeChunks('app', 2500)
      assert.deepEqual(
        chunks.map((chunk) => chunk.deviceTokens.length),
        [1000, 1000, 500],
      )
      await stage.queue.enqueue(chunks)
      const leases = await stage.leaseAll()
      const plain = ({ payloads, ...rest }: Chunk) => ({
        ...rest,
        payloads: payloads.map(({ bytes, headers }) => ({
          headers,
          text: Buffer.from(bytes).toString(),
        })),
      })
      assert.deepEqual(
        leases.map(({ chunk }) => plain(chunk)),
        chunks.map(plain),
      )
      assert.deepEqual(
        leases.map(({ enqueuedAtMs, isCancelled }) => [enqueuedAtMs, isCancelled]),
        chunks.map(() => [stage.nowMs, false]),
      )
    })

    it('hands each chunk to one holder at a time, as many as are asked for', async () => {
      await stage.queue.enqueue(makeChunks('app', 2500))
      assert.equal((await stage.queue.lease('app', 'large', 1500)).length, 2)
      assert.equal((await stage.queue.lease('app', 'large', 1500)).length, 1)
      assert.equal((await stage.queue.lease('app', 'large', 1500)).length, 0)
      assert.equal(await stage.queue.untilDueMs('app', 'large'), null)
    })

    it('keeps apps and lanes apart', async () => {
      await stage.queue.enqueue(makeChunks('one', 1))
      await stage.queue.enqueue(makeChunks('two', 1))
      await stage.queue.enqueue(makeChunks('two', 101))
      assert.deepEqual(await stage.queue.appsWithWork(), ['one', 'two'])
      const lanesOf = async (appId: string) => [
        (await stage.leaseAll('small', appId)).map(({ chunk }) => chunk.appId),
        (await stage.leaseAll('large', appId)).map(({ chunk }) => chunk.appId),
      ]
      assert.deepEqual(await lanesOf('one'), [['one'], []])
      assert.deepEqual(await lanesOf('two'), [['two'], ['two']])
    })

    it('says when an app has got work', async () => {
      const told: string[] = []
      stage.queue.onWork((appId) => told.push(appId))
      await stage.queue.enqueue(makeChunks('one', 1))
      await stage.queue.enqueue(makeChunks('two', 1))
      assert.deepEqual(told, ['one', 'two'])
      await stage.queue.nak(await stage.leaseOne('small', 'two'), 0)
      assert.deepEqual(told, ['one', 'two', 'two'])
    })

    it('keeps none of what was enqueued together when one cannot be kept', async () => {
      const chunk = await stage.enqueueOne(1)
      // the same place twice: the second commit must fail, and take the other chunk of the call with it
      await assert.rejects(stage.queue.enqueue([...makeChunks('app', 5), chunk]))
      assert.equal(stage.queue.depth().notifications, 1)
      assert.equal((await stage.leaseAll('small')).length, 1)
    })
  })

  describe('settling', () => {
    it('ends a chunk by ack, and remembers its outcomes', async () => {
      const chunk = await stage.enqueueOne(3)
      const lease = await stage.leaseOne()
      lease.outcomes.settle(0, 'accepted')
      lease.outcomes.settle(1, 'rejected', {
        status: 410,
        reason: 'Unregistered',
        timestampMs: 7,
      })
      lease.outcomes.settle(2, 'accepted')
      await stage.queue.ack(lease)
      assert.deepEqual(await stage.queue.appsWithWork(), [])
      await stage.crash()
      assert.partialDeepStrictEqual(await stage.archive.find(chunk.batchId, 1), {
        state: 'rejected',
        index: 1,
        attempts: 1,
        appId: 'app',
        deviceToken: DEVICE_TOKEN,
        detail: { status: 410, reason: 'Unregistered', timestampMs: 7 },
        next: null,
      })
      assert.equal((await stage.archive.find(chunk.batchId, 2))?.state, 'accepted')
      assert.equal(await stage.archive.find(chunk.batchId, 3), undefined)
      assert.equal(await stage.archive.find('0'.repeat(24), 0), undefined)
    })

    it('refuses an ack while a notification waits, and keeps the lease', async () => {
      await stage.enqueueOne(1)
      const lease = await stage.leaseOne()
      await assert.rejects(stage.queue.ack(lease))
      lease.outcomes.settle(0, 'accepted')
      await stage.queue.ack(lease)
    })

    it('refuses a chunk that is given back twice', async () => {
      await stage.enqueueOne(1)
      const lease = await stage.leaseOne()
      await stage.queue.nak(lease, 0)
      await assert.rejects(stage.queue.nak(lease, 0), codeIs('lease-lost'))
      await assert.rejects(stage.queue.progress(lease), codeIs('lease-lost'))
    })

    it('leases again after nak, when it is due, with the outcomes so far', async () => {
      await stage.enqueueOne(2)
      const lease = await stage.leaseOne()
      lease.outcomes.settle(1, 'accepted')
      await stage.queue.nak(lease, 5000)
      assert.deepEqual(await stage.leaseAll('small'), [])
      assert.equal(await stage.queue.untilDueMs('app', 'small'), 5000)
      stage.wait(5000)
      const again = await stage.leaseOne()
      assert.deepEqual(
        [again.outcomes.stateOf(0), again.outcomes.stateOf(1)],
        ['waiting', 'accepted'],
      )
    })

    it('is due again when the first of its retries is, and remembers them through a crash', async () => {
      const chunk = await stage.enqueueOne(3)
      const lease = await stage.leaseOne()
      lease.outcomes.retry(0, { attempts: 1, dueAtMs: stage.nowMs + 9000, reason: 'later' })
      lease.outcomes.retry(1, { attempts: 4, dueAtMs: stage.nowMs + 2000, reason: 'soon' })
      lease.outcomes.settle(2, 'accepted', undefined, 3)
      await stage.queue.nak(lease, 0)
      await stage.crash()
      assert.equal(await stage.queue.untilDueMs('app', 'small'), 2000)
      const { batchId } = chunk
      assert.partialDeepStrictEqual(await stage.archive.find(batchId, 1), {
        attempts: 4,
        next: { atMs: stage.nowMs + 2000, reason: 'soon' },
      })
      assert.partialDeepStrictEqual(await stage.archive.find(batchId, 2), {
        attempts: 3,
        next: null,
      })
      stage.wait(2000)
      const again = await stage.leaseOne()
      assert.equal(again.outcomes.attemptsOf(0), 1)
      assert.equal(again.outcomes.retries.get(0)?.dueAtMs, stage.nowMs + 7000)
    })

    it('ends a chunk by term, whatever still waited in it', async () => {
      const { batchId } = await stage.enqueueOne(2)
      const lease = await stage.leaseOne()
      lease.outcomes.settle(0, 'accepted')
      await stage.queue.term(lease, 'failed', { reason: 'no use' })
      assert.equal((await stage.archive.find(batchId, 0))?.state, 'accepted')
      assert.equal((await stage.archive.find(batchId, 1))?.state, 'failed')
      assert.deepEqual(await stage.queue.appsWithWork(), [])
    })

    it('tells the sink of each detail once', async () => {
      await stage.enqueueOne(2)
      const lease = await stage.leaseOne()
      lease.outcomes.settle(0, 'rejected', { status: 410, reason: 'Unregistered' })
      await stage.queue.progress(lease)
      lease.outcomes.settle(1, 'rejected', { status: 400, reason: 'BadDeviceToken' })
      await stage.queue.ack(lease)
      assert.deepEqual(
        stage.recorded.map(({ detail }) => detail.reason),
        ['Unregistered', 'BadDeviceToken'],
      )
      assert.equal(stage.recorded[0]?.deviceToken, DEVICE_TOKEN)
    })
  })

  describe('crashes and leases that run out', () => {
    it('loses nothing in a crash: what was in hand is leased again at once, with the outcomes written down', async () => {
      await stage.queue.enqueue(makeChunks('app', 1500))
      const [first, second] = await stage.leaseAll()
      assert.ok(first !== undefined && second !== undefined)
      first.outcomes.settle(7, 'accepted')
      await stage.queue.progress(first)
      first.outcomes.settle(8, 'accepted') // answered, and not written down before the crash
      await stage.crash()
      const again = await stage.leaseAll()
      assert.equal(again.length, 2)
      assert.equal(
        again.reduce((sum, { outcomes }) => sum + outcomes.waiting, 0),
        1499,
      )
      assert.equal(stage.queue.depth().notifications, 1499)
    })

    it('gives a chunk to the next when its lease has run out, and nothing more to the one who had it', async () => {
      for (const [lane, count] of [
        ['small', 2],
        ['large', 200],
      ] as const) {
        const { batchId } = await stage.enqueueOne(count)
        const slow = await stage.leaseOne(lane)
        slow.outcomes.settle(0, 'accepted')
        await stage.queue.progress(slow)
        stage.wait(stage.queue.leaseMs + 1)
        const quick = await stage.leaseOne(lane)
        assert.equal(quick.chunk.batchId, batchId)
        assert.equal(quick.outcomes.stateOf(0), 'accepted')
        slow.outcomes.settle(1, 'rejected', { status: 410, reason: 'Unregistered' })
        await assert.rejects(stage.queue.progress(slow), codeIs('lease-lost'))
        await assert.rejects(stage.queue.nak(slow, 0), codeIs('lease-lost'))
        assert.deepEqual(stage.recorded, [])
        quick.outcomes.settleRest('accepted')
        await stage.queue.ack(quick)
        assert.equal((await stage.archive.find(batchId, 1))?.state, 'accepted')
      }
    })

    it('keeps a lease whose holder shows that it is there, whatever the wall clock does', async () => {
      await stage.enqueueOne(1)
      const lease = await stage.leaseOne()
      for (let turn = 0; turn < 3; turn += 1) {
        stage.wait(stage.queue.leaseMs - 1)
        await (turn === 1 ? stage.queue.progress(lease) : stage.queue.extend(lease))
        assert.deepEqual(await stage.leaseAll('small'), [])
      }
      stage.nowMs += 365 * 24 * 3600 * 1000
      stage.elapsedMs += 2000
      assert.deepEqual(await stage.leaseAll('small'), [])
      lease.outcomes.settle(0, 'accepted')
      await stage.queue.ack(lease)
    })
  })
}
