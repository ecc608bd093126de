/**
 * A model of the queue's contract, and any order of what can happen to a queue: what the model knows must be so, nothing
 * may be lost, and nothing that was written down may come back.
 */

import assert from 'node:assert/strict'
import fc from 'fast-check'
import { ApnsdError } from '../../packages/apnsd/src/base/errors.ts'
import type { FinalState, State } from '../../packages/apnsd/src/core/outcome.ts'
import { LANES, type Lane } from '../../packages/apnsd/src/core/policy/lanes.ts'
import type { Clock, Lease } from '../../packages/apnsd/src/core/ports.ts'
import { type MakeQueue, makeChunks, type QueueFixture } from './queue-stage.ts'

const APPS = ['one', 'two'] as const
const START_MS = 1_700_000_000_000
/** An implementation may look for leases that have run out only so often. */
const LEASE_SLACK_MS = 2000

/** One thing that happens. Numbers pick one of what there is by then. */
export type Step =
  | { type: 'enqueue'; app: number; lane: Lane; count: number; startsInMs: number; ttlMs: number }
  | { type: 'repeat'; call: number }
  | { type: 'lease'; app: number; lane: Lane; limit: number }
  | { type: 'settle'; lease: number; index: number; state: FinalState }
  | { type: 'retry'; lease: number; index: number; inMs: number }
  | { type: 'progress'; lease: number }
  | { type: 'giveBack'; lease: number; delayMs: number }
  | { type: 'term'; lease: number }
  | { type: 'cancel'; batch: number }
  | { type: 'expire' }
  | { type: 'pass'; ms: number }
  | { type: 'crash' }

const pick = fc.nat(30)
const anyApp = fc.constantFrom(0, 0, 0, 1)
const anyLane = fc.constantFrom(...LANES)
const delay = fc.constantFrom(0, 0, 0, 10, 5000)

export const STEPS = fc.array(
  fc.oneof(
    {
      weight: 4,
      arbitrary: fc.record({
        type: fc.constant('enqueue' as const),
        app: anyApp,
        lane: anyLane,
        count: fc.integer({ min: 1, max: 3 }),
        startsInMs: delay,
        ttlMs: fc.constantFrom(0, 0, 0, 4000, 100_000),
      }),
    },
    fc.record({ type: fc.constant('repeat' as const), call: pick }),
    {
      weight: 4,
      arbitrary: fc.record({
        type: fc.constant('lease' as const),
        app: anyApp,
        lane: anyLane,
        limit: fc.constantFrom(1, 2, 1000),
      }),
    },
    {
      weight: 4,
      arbitrary: fc.record({
        type: fc.constant('settle' as const),
        lease: pick,
        index: pick,
        state: fc.constantFrom<FinalState>('accepted', 'rejected', 'failed'),
      }),
    },
    fc.record({ type: fc.constant('retry' as const), lease: pick, index: pick, inMs: delay }),
    fc.record({ type: fc.constant('progress' as const), lease: pick }),
    {
      weight: 3,
      arbitrary: fc.record({ type: fc.constant('giveBack' as const), lease: pick, delayMs: delay }),
    },
    fc.record({ type: fc.constant('term' as const), lease: pick }),
    fc.record({ type: fc.constant('cancel' as const), batch: pick }),
    fc.record({ type: fc.constant('expire' as const) }),
    fc.record({
      type: fc.constant('pass' as const),
      ms: fc.constantFrom(1, 10, 5000, 5000, 61_000),
    }),
    fc.record({ type: fc.constant('crash' as const) }),
  ),
  { minLength: 30, maxLength: 80, size: 'max' },
)

interface ModelChunk {
  readonly appId: string
  readonly batchId: string
  readonly lane: Lane
  readonly overAtMs: number
  dueAtMs: number
  isCancelled: boolean
  /** True once it has been given back with nothing waiting in it: until then it is leased again after a crash. */
  hasEnded: boolean
  /** True where nothing in it waits and somebody has looked for what may be ended: nobody need lease it again. */
  mayHaveEnded: boolean
  /** What is written down. */
  states: State[]
  /** When each may go again, where that is written down. */
  retriesMs: number[]
  holder: Lease | null
  leaseEndsMs: number
}

interface Held {
  readonly lease: Lease
  readonly chunk: ModelChunk
}

/** Plays steps to a queue and holds it against what it promises. */
export class QueueModel {
  readonly #makeQueue: MakeQueue
  readonly #chunks: ModelChunk[] = []
  readonly #calls: { appId: string; key: string; digest: string; answer: string }[] = []
  #held: Held[] = []
  #fixture!: QueueFixture
  #nowMs = START_MS
  #elapsedMs = 0
  /** Details as the sink was told of them, by apps and reason. */
  readonly #told: string[] = []
  readonly #toTell: string[] = []

  constructor(makeQueue: MakeQueue) {
    this.#makeQueue = makeQueue
  }

  async run(steps: readonly Step[]): Promise<void> {
    const clock: Clock = { now: () => this.#nowMs, elapsed: () => this.#elapsedMs }
    const limits = { maxNotifications: 1_000_000, maxBytes: 1_000_000_000 }
    const sink = {
      record: (_chunk: unknown, details: ReadonlyMap<number, { reason: string }>) => {
        for (const { reason } of details.values()) this.#told.push(reason)
      },
    }
    this.#fixture = await this.#makeQueue({ clock, sink, limits })
    try {
      for (const step of steps) {
        await this.#play(step)
        this.#checkDepth()
      }
      await this.#finish()
    } finally {
      await this.#fixture.close()
    }
  }

  async #play(step: Step): Promise<void> {
    switch (step.type) {
      case 'enqueue':
        return this.#enqueue(step)
      case 'repeat':
        return this.#repeat(step.call)
      case 'lease':
        return this.#lease(APPS[step.app % 2]!, step.lane, step.limit)
      case 'settle':
        return this.#settle(step)
      case 'retry':
        return this.#retry(step)
      case 'progress':
        return this.#progress(this.#heldAt(step.lease))
      case 'giveBack':
        return this.#giveBack(this.#heldAt(step.lease), step.delayMs)
      case 'term':
        return this.#term(this.#heldAt(step.lease))
      case 'cancel':
        return this.#cancel(step.batch)
      case 'expire':
        return this.#expire()
      case 'pass':
        this.#nowMs += step.ms
        this.#elapsedMs += step.ms
        return
      case 'crash':
        this.#fixture = await this.#fixture.crash()
        this.#held = []
        for (const chunk of this.#chunks) chunk.holder = null
    }
  }

  async #enqueue(step: Extract<Step, { type: 'enqueue' }>): Promise<void> {
    const appId = APPS[step.app % 2]!
    const number = this.#calls.length
    const sendAtMs = step.startsInMs === 0 ? 0 : this.#nowMs + step.startsInMs
    const dueAtMs = Math.max(this.#nowMs, sendAtMs)
    const expiresAtMs = step.ttlMs === 0 ? null : dueAtMs + step.ttlMs
    const [chunk] = makeChunks(appId, step.count, { lane: step.lane, sendAtMs, expiresAtMs })
    const call = { appId, key: `k${number}`, digest: `d${number}`, answer: `a${number}` }
    assert.deepEqual(await this.#fixture.queue.enqueue([chunk!], call), { type: 'enqueued' })
    this.#calls.push(call)
    this.#chunks.push({
      appId,
      batchId: chunk!.batchId,
      lane: step.lane,
      overAtMs: expiresAtMs ?? Number.POSITIVE_INFINITY,
      dueAtMs,
      isCancelled: false,
      hasEnded: false,
      mayHaveEnded: false,
      states: Array.from({ length: step.count }, () => 'waiting'),
      retriesMs: Array.from({ length: step.count }, () => 0),
      holder: null,
      leaseEndsMs: 0,
    })
  }

  async #repeat(number: number): Promise<void> {
    const call = this.#calls[number % Math.max(1, this.#calls.length)]
    if (call === undefined) return
    const again = await this.#fixture.queue.enqueue(makeChunks(call.appId, 2), call)
    assert.deepEqual(again, { type: 'repeated', answer: call.answer })
  }

  async #lease(appId: string, lane: Lane, limit: number): Promise<void> {
    const open = this.#chunks.filter(
      (chunk) => chunk.appId === appId && chunk.lane === lane && !chunk.hasEnded,
    )
    const isFree = ({ holder, leaseEndsMs }: ModelChunk, slackMs: number): boolean =>
      holder === null || leaseEndsMs + slackMs <= this.#elapsedMs
    const isDue = ({ dueAtMs }: ModelChunk): boolean => dueAtMs <= this.#nowMs
    const mayCome = new Set(open.filter((chunk) => isDue(chunk) && isFree(chunk, 0)))
    const mustCome = open.filter(
      (chunk) => isDue(chunk) && isFree(chunk, LEASE_SLACK_MS) && !chunk.mayHaveEnded,
    )
    let notifications = 0
    for (const lease of await this.#fixture.queue.lease(appId, lane, limit)) {
      assert.ok(notifications < limit, 'more was leased than was asked for')
      const chunk = [...mayCome].find(({ batchId }) => batchId === lease.chunk.batchId)
      assert.ok(chunk !== undefined, 'a chunk was leased that nobody may have')
      mayCome.delete(chunk)
      this.#checkOutcomes(lease, chunk)
      notifications += lease.outcomes.waiting
      chunk.holder = lease
      chunk.leaseEndsMs = this.#elapsedMs + this.#fixture.queue.leaseMs
      this.#held.push({ lease, chunk })
    }
    if (notifications < limit)
      assert.ok(!mustCome.some((chunk) => mayCome.has(chunk)), 'a chunk was due and did not come')
  }

  #checkOutcomes({ outcomes, isCancelled }: Lease, chunk: ModelChunk): void {
    assert.deepEqual(
      chunk.states.map((_state, index) => outcomes.stateOf(index)),
      chunk.states,
    )
    if (!chunk.mayHaveEnded) assert.equal(isCancelled, chunk.isCancelled)
    chunk.states.forEach((state, index) => {
      if (state === 'waiting')
        assert.equal(outcomes.retries.get(index)?.dueAtMs ?? 0, chunk.retriesMs[index])
    })
  }

  #heldAt(number: number): Held | undefined {
    return this.#held[number % Math.max(1, this.#held.length)]
  }

  async #settle(step: Extract<Step, { type: 'settle' }>): Promise<void> {
    const held = this.#heldAt(step.lease)
    if (held === undefined) return
    const { outcomes } = held.lease
    const index = step.index % held.chunk.states.length
    if (outcomes.stateOf(index) !== 'waiting') return
    const reason = `${held.chunk.batchId} ${index}`
    outcomes.settle(index, step.state, step.state === 'rejected' ? { reason } : undefined)
  }

  async #retry(step: Extract<Step, { type: 'retry' }>): Promise<void> {
    const held = this.#heldAt(step.lease)
    if (held === undefined) return
    const index = step.index % held.chunk.states.length
    if (held.lease.outcomes.stateOf(index) !== 'waiting') return
    const dueAtMs = this.#nowMs + step.inMs
    held.lease.outcomes.retry(index, { attempts: 1, dueAtMs, reason: 'r' })
  }

  async #progress(held: Held | undefined): Promise<void> {
    if (held === undefined) return
    if (await this.#isLost(held, () => this.#fixture.queue.progress(held.lease))) return
    this.#writeDown(held)
    held.chunk.leaseEndsMs = this.#elapsedMs + this.#fixture.queue.leaseMs
  }

  async #giveBack(held: Held | undefined, delayMs: number): Promise<void> {
    if (held === undefined) return
    const { lease, chunk } = held
    const { queue } = this.#fixture
    const isDone = lease.outcomes.waiting === 0
    const giveBack = () => (isDone ? queue.ack(lease) : queue.nak(lease, delayMs))
    if (await this.#isLost(held, giveBack)) return
    if (chunk.isCancelled) assert.equal(lease.outcomes.waiting, 0)
    this.#writeDown(held)
    const dues = chunk.states.flatMap((state, index) =>
      state === 'waiting' ? [chunk.retriesMs[index]!] : [],
    )
    chunk.dueAtMs = Math.max(this.#nowMs + delayMs, dues.length === 0 ? 0 : Math.min(...dues))
    this.#letGo(held)
  }

  async #term(held: Held | undefined): Promise<void> {
    if (held === undefined) return
    const term = () => this.#fixture.queue.term(held.lease, 'failed')
    if (await this.#isLost(held, term)) return
    this.#writeDown(held)
    this.#letGo(held)
  }

  #letGo(held: Held): void {
    held.chunk.holder = null
    held.chunk.hasEnded = !held.chunk.states.includes('waiting')
    this.#held = this.#held.filter((one) => one !== held)
  }

  /** Whether a lease turned out to be over: it may be where its time is up, and is where another holds the chunk. */
  async #isLost({ lease, chunk }: Held, act: () => Promise<void>): Promise<boolean> {
    try {
      await act()
      assert.equal(chunk.holder, lease, 'a chunk was given back by one that held it no more')
      return false
    } catch (error) {
      if (!(error instanceof ApnsdError && error.code === 'lease-lost')) throw error
      const isOver = chunk.holder !== lease || chunk.leaseEndsMs <= this.#elapsedMs
      assert.ok(isOver, 'a lease was lost before its time')
      if (chunk.holder === lease) chunk.holder = null
      this.#held = this.#held.filter((one) => one.lease !== lease)
      return true
    }
  }

  #writeDown({ lease, chunk }: Held): void {
    chunk.states = chunk.states.map((before, index) => {
      const state = lease.outcomes.stateOf(index)
      assert.ok(before === 'waiting' || before === state, 'an outcome changed')
      const detail = lease.outcomes.details.get(index)
      if (before === 'waiting' && detail !== undefined) this.#toTell.push(detail.reason)
      return state
    })
    chunk.retriesMs = chunk.states.map(
      (_s, index) => lease.outcomes.retries.get(index)?.dueAtMs ?? 0,
    )
  }

  async #cancel(number: number): Promise<void> {
    const chunk = this.#chunks[number % Math.max(1, this.#chunks.length)]
    if (chunk === undefined) return
    await this.#fixture.queue.cancel(chunk.batchId)
    if (!chunk.states.includes('waiting')) {
      chunk.mayHaveEnded = true
      return
    }
    const wasHeld = await this.#isStillWaiting(chunk)
    if (wasHeld) assert.ok(chunk.holder !== null, 'what nobody held was not cancelled')
    chunk.isCancelled = true
    if (!wasHeld) this.#endRest(chunk, 'cancelled')
  }

  async #expire(): Promise<void> {
    await this.#fixture.queue.expire(1000)
    for (const chunk of this.#chunks) {
      if (chunk.overAtMs > this.#nowMs) continue
      if (!chunk.states.includes('waiting')) chunk.mayHaveEnded = true
      else if (await this.#isStillWaiting(chunk))
        assert.ok(chunk.holder !== null, 'it did not expire')
      else this.#endRest(chunk, 'expired')
    }
  }

  #endRest(chunk: ModelChunk, end: FinalState): void {
    chunk.states = chunk.states.map((state) => (state === 'waiting' ? end : state))
    chunk.hasEnded = true
    if (chunk.holder === null) return
    this.#held = this.#held.filter(({ lease }) => lease !== chunk.holder)
    chunk.holder = null
  }

  /** What the queue itself counts as waiting; a holder may know more than is written down. */
  async #isStillWaiting({ appId, batchId, states, holder }: ModelChunk): Promise<boolean> {
    if (holder !== null && this.#held.some(({ lease }) => lease === holder)) {
      // a chunk in hand goes on as it is, unless its lease had run out
      const record = await this.#fixture.archive.find(batchId, states.indexOf('waiting'))
      assert.equal(record?.appId, appId)
      const inHand = holder.outcomes.stateOf(states.indexOf('waiting'))
      return record.state === inHand
    }
    const record = await this.#fixture.archive.find(batchId, states.indexOf('waiting'))
    return record?.state === 'waiting'
  }

  #checkDepth(): void {
    const { notifications, byApp } = this.#fixture.queue.depth()
    const waiting = (chunks: readonly ModelChunk[]): number =>
      chunks.reduce((sum, { states }) => sum + states.filter((s) => s === 'waiting').length, 0)
    assert.equal(notifications, waiting(this.#chunks), 'the depth is wrong')
    for (const appId of APPS)
      assert.equal(
        byApp.get(appId)?.notifications ?? 0,
        waiting(this.#chunks.filter((chunk) => chunk.appId === appId)),
      )
  }

  /** Ends what is left, and sees that everything has one outcome: the one that the model knows. */
  async #finish(): Promise<void> {
    await this.#play({ type: 'crash' })
    this.#nowMs += 200_000
    this.#elapsedMs += 200_000
    for (const appId of APPS)
      for (const one of LANES) {
        await this.#lease(appId, one, Number.MAX_SAFE_INTEGER)
        for (const held of [...this.#held]) {
          held.lease.outcomes.settleRest(held.chunk.isCancelled ? 'cancelled' : 'accepted')
          await this.#giveBack(held, 0)
        }
      }
    assert.deepEqual(await this.#fixture.queue.appsWithWork(), [])
    assert.deepEqual(this.#fixture.queue.depth().bytes, 0)
    for (const { batchId, states } of this.#chunks) {
      const records = await this.#fixture.archive.list(batchId, 0, 10)
      assert.deepEqual(
        records.map(({ state }) => state),
        states,
      )
      assert.ok(!states.includes('waiting'))
    }
    // each detail that was written down was told once, and nothing else
    assert.deepEqual(this.#told.sort(), this.#toTell.sort())
  }
}
