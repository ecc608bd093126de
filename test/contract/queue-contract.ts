import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { afterEach, beforeEach, describe, it } from 'node:test'
import { batchIdFromUuid } from '../../packages/apnsd/src/core/notifications/apns-id.ts'
import { checkNotifications } from '../../packages/apnsd/src/core/notifications/check.ts'
import { type Chunk, cutIntoChunks } from '../../packages/apnsd/src/core/notifications/chunk.ts'
import type { OutcomeDetail } from '../../packages/apnsd/src/core/outcome.ts'
import type { Clock, Lease, OutcomeSink, Queue } from '../../packages/apnsd/src/core/ports.ts'

/** One implementation of the queue, with what a test needs to make it suffer. */
export interface QueueFixture {
  readonly queue: Queue
  /** Ends the holder as a crash would, and opens what it left behind. */
  crash(): Promise<QueueFixture>
  close(): Promise<void>
}

export type MakeQueue = (clock: Clock, sink: OutcomeSink) => Promise<QueueFixture>

const DEVICE_TOKEN = 'ab'.repeat(32)

export function makeChunks(appId: string, count: number): Chunk[] {
  const requests = Array.from({ length: count }, (_, index) => ({
    deviceToken: DEVICE_TOKEN,
    payload: { aps: { badge: index % 3 } },
  }))
  const notifications = checkNotifications('com.example.app', requests)
  return cutIntoChunks(appId, batchIdFromUuid(randomUUID()), notifications)
}

/** What every queue promises; see core/ports.ts. */
export function describeQueueContract(name: string, makeQueue: MakeQueue): void {
  describe(`the queue's contract: ${name}`, () => {
    let nowMs = 1_700_000_000_000
    let recorded: { deviceToken: string | undefined; detail: OutcomeDetail }[] = []
    let fixture: QueueFixture
    const clock: Clock = { now: () => nowMs }
    const sink: OutcomeSink = {
      record: (chunk, details) => {
        for (const [index, detail] of details)
          recorded.push({ deviceToken: chunk.deviceTokens[index], detail })
      },
    }

    beforeEach(async () => {
      recorded = []
      fixture = await makeQueue(clock, sink)
    })
    afterEach(() => fixture.close())

    async function leaseOne(appId = 'app'): Promise<Lease> {
      const [lease] = await fixture.queue.lease(appId, 1)
      assert.ok(lease !== undefined, 'nothing to lease')
      return lease
    }

    it('gives back what was put in, whole and in order', async () => {
      const chunks = makeChunks('app', 2500)
      assert.deepEqual(
        chunks.map((chunk) => chunk.deviceTokens.length),
        [1000, 1000, 500],
      )
      await fixture.queue.enqueue(chunks)
      const leases = await fixture.queue.lease('app', 10)
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
        leases.map(({ attempt }) => attempt),
        [1, 1, 1],
      )
    })

    it('hands each chunk to one holder at a time', async () => {
      await fixture.queue.enqueue(makeChunks('app', 2500))
      assert.equal((await fixture.queue.lease('app', 2)).length, 2)
      assert.equal((await fixture.queue.lease('app', 2)).length, 1)
      assert.equal((await fixture.queue.lease('app', 2)).length, 0)
      assert.equal(await fixture.queue.nextDueMs('app'), null)
    })

    it('keeps apps apart', async () => {
      await fixture.queue.enqueue([...makeChunks('one', 1), ...makeChunks('two', 1)])
      assert.deepEqual(await fixture.queue.appsWithWork(), ['one', 'two'])
      const leases = await fixture.queue.lease('one', 10)
      assert.deepEqual(
        leases.map(({ chunk }) => chunk.appId),
        ['one'],
      )
    })

    it('ends a chunk by ack, and remembers its outcomes', async () => {
      const [chunk] = makeChunks('app', 3)
      assert.ok(chunk)
      await fixture.queue.enqueue([chunk])
      const lease = await leaseOne()
      lease.outcomes.settle(0, 'accepted')
      lease.outcomes.settle(1, 'rejected', { status: 410, reason: 'Unregistered', timestampMs: 7 })
      lease.outcomes.settle(2, 'accepted')
      await fixture.queue.ack(lease)
      assert.deepEqual(await fixture.queue.appsWithWork(), [])
      fixture = await fixture.crash()
      const record = await fixture.queue.find(chunk.batchId, 1)
      assert.partialDeepStrictEqual(record, {
        state: 'rejected',
        attempts: 1,
        appId: 'app',
        deviceToken: DEVICE_TOKEN,
        detail: { status: 410, reason: 'Unregistered', timestampMs: 7 },
      })
      assert.equal((await fixture.queue.find(chunk.batchId, 2))?.state, 'accepted')
      assert.equal(await fixture.queue.find(chunk.batchId, 3), undefined)
      assert.equal(await fixture.queue.find('0'.repeat(24), 0), undefined)
    })

    it('refuses an ack while a notification waits, and keeps the lease', async () => {
      await fixture.queue.enqueue(makeChunks('app', 1))
      const lease = await leaseOne()
      await assert.rejects(fixture.queue.ack(lease))
      lease.outcomes.settle(0, 'accepted')
      await fixture.queue.ack(lease)
    })

    it('refuses a chunk that is given back twice', async () => {
      await fixture.queue.enqueue(makeChunks('app', 1))
      const lease = await leaseOne()
      await fixture.queue.nak(lease, 0, true)
      await assert.rejects(fixture.queue.nak(lease, 0, true))
    })

    it('leases again after nak, when it is due, with the outcomes so far', async () => {
      await fixture.queue.enqueue(makeChunks('app', 2))
      const lease = await leaseOne()
      lease.outcomes.settle(1, 'accepted')
      await fixture.queue.nak(lease, 5000, true)
      assert.deepEqual(await fixture.queue.lease('app', 1), [])
      assert.equal(await fixture.queue.nextDueMs('app'), nowMs + 5000)
      nowMs += 5000
      const again = await leaseOne()
      assert.equal(again.attempt, 2)
      assert.deepEqual(
        [again.outcomes.stateOf(0), again.outcomes.stateOf(1)],
        ['waiting', 'accepted'],
      )
    })

    it('counts no attempt where nothing was tried', async () => {
      await fixture.queue.enqueue(makeChunks('app', 1))
      await fixture.queue.nak(await leaseOne(), 0, false)
      assert.equal((await leaseOne()).attempt, 1)
    })

    it('ends a chunk by term, whatever still waited in it', async () => {
      const [chunk] = makeChunks('app', 2)
      assert.ok(chunk)
      await fixture.queue.enqueue([chunk])
      const lease = await leaseOne()
      lease.outcomes.settle(0, 'accepted')
      await fixture.queue.term(lease, 'cancelled')
      assert.equal((await fixture.queue.find(chunk.batchId, 0))?.state, 'accepted')
      assert.equal((await fixture.queue.find(chunk.batchId, 1))?.state, 'cancelled')
      assert.deepEqual(await fixture.queue.appsWithWork(), [])
    })

    it('loses nothing in a crash: what was in hand is leased again at once, with the outcomes written down', async () => {
      await fixture.queue.enqueue(makeChunks('app', 1500))
      const leases = await fixture.queue.lease('app', 2)
      leases[0]?.outcomes.settle(7, 'accepted')
      assert.ok(leases[0])
      await fixture.queue.progress(leases[0])
      leases[0].outcomes.settle(8, 'accepted') // answered, and not written down before the crash
      fixture = await fixture.crash()
      const again = await fixture.queue.lease('app', 10)
      assert.equal(again.length, 2)
      assert.equal(
        again.reduce((sum, { outcomes }) => sum + outcomes.waiting, 0),
        1499,
      )
      assert.deepEqual(
        again.map(({ attempt }) => attempt),
        [1, 1],
      )
    })

    it('tells the sink of each detail once', async () => {
      await fixture.queue.enqueue(makeChunks('app', 2))
      const lease = await leaseOne()
      lease.outcomes.settle(0, 'rejected', { status: 410, reason: 'Unregistered' })
      await fixture.queue.progress(lease)
      lease.outcomes.settle(1, 'rejected', { status: 400, reason: 'BadDeviceToken' })
      await fixture.queue.ack(lease)
      assert.deepEqual(
        recorded.map(({ detail }) => detail.reason),
        ['Unregistered', 'BadDeviceToken'],
      )
      assert.equal(recorded[0]?.deviceToken, DEVICE_TOKEN)
    })

    it('cancels what waits for an app, and leaves what is in hand to its holder', async () => {
      const chunks = makeChunks('app', 1500)
      await fixture.queue.enqueue(chunks)
      const lease = await leaseOne()
      await fixture.queue.cancelApp('app')
      const { batchId } = lease.chunk
      assert.equal((await fixture.queue.find(batchId, 0))?.state, 'waiting')
      assert.equal((await fixture.queue.find(batchId, 1200))?.state, 'cancelled')
      assert.equal((await fixture.queue.find(batchId, 1200))?.attempts, 0)
      await fixture.queue.term(lease, 'cancelled')
      assert.deepEqual(await fixture.queue.appsWithWork(), [])
    })

    it('says when an app has got work', async () => {
      const told: string[] = []
      fixture.queue.onWork((appId) => told.push(appId))
      await fixture.queue.enqueue([...makeChunks('one', 1), ...makeChunks('two', 1)])
      assert.deepEqual(told, ['one', 'two'])
      await fixture.queue.nak(await leaseOne('two'), 0, true)
      assert.deepEqual(told, ['one', 'two', 'two'])
    })

    it('keeps none of what was enqueued together when one cannot be kept', async () => {
      const [chunk] = makeChunks('app', 1)
      assert.ok(chunk)
      await fixture.queue.enqueue([chunk])
      // the same place twice: the second commit must fail, and take the other chunk of the call with it
      await assert.rejects(fixture.queue.enqueue([...makeChunks('other', 1), chunk]))
      assert.deepEqual(await fixture.queue.appsWithWork(), ['app'])
    })
  })
}
