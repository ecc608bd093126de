import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { afterEach, beforeEach } from 'node:test'
import { ApnsdError } from '../../packages/apnsd/src/base/errors.ts'
import { batchIdFromUuid } from '../../packages/apnsd/src/core/notifications/apns-id.ts'
import { checkNotifications } from '../../packages/apnsd/src/core/notifications/check.ts'
import { type Chunk, cutIntoChunks } from '../../packages/apnsd/src/core/notifications/chunk.ts'
import type { OutcomeDetail } from '../../packages/apnsd/src/core/outcome.ts'
import {
  type BatchOptions,
  type Lane,
  laneFor,
} from '../../packages/apnsd/src/core/policy/lanes.ts'
import type {
  Clock,
  Lease,
  OutcomeArchive,
  OutcomeSink,
  Queue,
  QueueLimits,
} from '../../packages/apnsd/src/core/ports.ts'

/** One implementation of the queue, with what a test needs to make it suffer. */
export interface QueueFixture {
  readonly queue: Queue
  readonly archive: OutcomeArchive
  /** Ends the holder as a crash would, and opens what it left behind. */
  crash(): Promise<QueueFixture>
  close(): Promise<void>
}

export interface QueueParts {
  readonly clock: Clock
  readonly sink: OutcomeSink
  readonly limits: QueueLimits
}

export type MakeQueue = (parts: QueueParts) => Promise<QueueFixture>

export const DEVICE_TOKEN = 'ab'.repeat(32)
export const START_MS = 1_700_000_000_000
export const LIMITS: QueueLimits = { maxNotifications: 10_000, maxBytes: 10_000_000 }
const NO_LIMIT = Number.MAX_SAFE_INTEGER

/** Chunks of one batch, whose notifications can be told apart by nothing but their place. */
export function makeChunks(
  appId: string,
  count: number,
  options: Partial<BatchOptions> = {},
): Chunk[] {
  const requests = Array.from({ length: count }, (_, index) => ({
    deviceToken: DEVICE_TOKEN,
    payload: { aps: { badge: index % 3 } },
  }))
  const { taken } = checkNotifications('com.example.app', requests)
  const batchId = batchIdFromUuid(randomUUID())
  const ratePerS = options.ratePerS ?? null
  const lane = laneFor(count, ratePerS)
  const all = { lane, sendAtMs: 0, expiresAtMs: null, ratePerS, ...options }
  return cutIntoChunks({ appId, batchId, options: all }, taken)
}

/** A queue under test, with a clock that the test sets and a sink that remembers. */
export class QueueStage {
  nowMs = START_MS
  elapsedMs = 0
  recorded: { deviceToken: string | undefined; detail: OutcomeDetail }[] = []
  readonly #makeQueue: MakeQueue
  #fixture!: QueueFixture

  /** Opens a queue before each test of the suite that it is made in, and closes it after. */
  constructor(makeQueue: MakeQueue) {
    this.#makeQueue = makeQueue
    beforeEach(() => this.open())
    afterEach(() => this.#fixture.close())
  }

  async open(limits = LIMITS): Promise<void> {
    this.nowMs = START_MS
    this.elapsedMs = 0
    this.recorded = []
    const clock: Clock = { now: () => this.nowMs, elapsed: () => this.elapsedMs }
    const sink: OutcomeSink = {
      record: (chunk, details) => {
        for (const [index, detail] of details)
          this.recorded.push({ deviceToken: chunk.deviceTokens[index], detail })
      },
    }
    this.#fixture = await this.#makeQueue({ clock, sink, limits })
  }

  get queue(): Queue {
    return this.#fixture.queue
  }

  get archive(): OutcomeArchive {
    return this.#fixture.archive
  }

  async crash(): Promise<void> {
    this.#fixture = await this.#fixture.crash()
  }

  /** Lets time pass. */
  wait(ms: number): void {
    this.nowMs += ms
    this.elapsedMs += ms
  }

  leaseAll(lane: Lane = 'large', appId = 'app'): Promise<Lease[]> {
    return this.queue.lease(appId, lane, NO_LIMIT)
  }

  async leaseOne(lane: Lane = 'small', appId = 'app'): Promise<Lease> {
    const [lease] = await this.queue.lease(appId, lane, 1)
    assert.ok(lease !== undefined, 'nothing to lease')
    return lease
  }

  async enqueueOne(count: number, options: Partial<BatchOptions> = {}): Promise<Chunk> {
    const [chunk, ...others] = makeChunks('app', count, options)
    assert.ok(chunk !== undefined && others.length === 0)
    await this.queue.enqueue([chunk])
    return chunk
  }
}

export const codeIs =
  (code: string) =>
  (error: unknown): boolean =>
    error instanceof ApnsdError && error.code === code
