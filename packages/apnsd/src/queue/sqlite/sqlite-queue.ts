import type { Database, Row } from '../../base/database.ts'
import { ApnsdError } from '../../base/errors.ts'
import type { GroupCommit } from '../../base/group-commit.ts'
import type { Chunk } from '../../core/notifications/chunk.ts'
import type { FinalState, OutcomeDetail, Outcomes } from '../../core/outcome.ts'
import type { Lane } from '../../core/policy/lanes.ts'
import type {
  Clock,
  Enqueued,
  IdempotencyKey,
  Lease,
  OutcomeSink,
  Queue,
  QueueDepth,
  QueueLimits,
} from '../../core/ports.ts'
import { DepthCounter } from '../depth-counter.ts'
import {
  ChunkWriter,
  type EncodedChunk,
  encodeChunk,
  laneOf,
  readLease,
  readOutcomes,
} from './chunk-rows.ts'
import type { HeldLease } from './held-lease.ts'
import { IdempotencyKeys } from './idempotency-keys.ts'
import { SqliteLanes } from './sqlite-lanes.ts'
import { WaitingRows } from './waiting-rows.ts'

/** Long enough for an event loop that was held up, short enough that a stuck holder is noticed. */
const LEASE_MS = 60_000
/** Chunks that one commit cancels or expires: between two of them others have their turn. */
const CHUNKS_IN_A_COMMIT = 200

/**
 * The queue in one SQLite file, for one daemon.
 *
 * Leases are kept in memory: the folder's lock makes this process the only holder there can be, so a lease ends with it,
 * and after a crash everything that had not ended is waiting again at once.
 */
export class SqliteQueue implements Queue {
  readonly leaseMs = LEASE_MS
  readonly #clock: Clock
  readonly #sink: OutcomeSink
  readonly #commits: GroupCommit
  readonly #held = new Map<number, HeldLease>()
  readonly #listeners: ((appId: string) => void)[] = []
  readonly #waiting: WaitingRows
  readonly #writer: ChunkWriter
  readonly #lanes: SqliteLanes
  readonly #depth: DepthCounter
  readonly #keys: IdempotencyKeys
  /** Chunks whose rows are damaged. */
  readonly #unreadable = new Set<number>()
  readonly #onUnreadable: (rowId: number, error: unknown) => void
  #checkedLeasesAtMs = 0

  /** @param onUnreadable told of each chunk that makes no sense, once */
  constructor(
    database: Database,
    commits: GroupCommit,
    clock: Clock,
    sink: OutcomeSink,
    limits: QueueLimits,
    onUnreadable: (rowId: number, error: unknown) => void,
  ) {
    this.#onUnreadable = onUnreadable
    this.#clock = clock
    this.#sink = sink
    this.#waiting = new WaitingRows(database)
    this.#commits = commits
    this.#writer = new ChunkWriter(database)
    this.#lanes = new SqliteLanes(
      database,
      clock,
      (rowId) => this.#held.has(rowId) || this.#unreadable.has(rowId),
    )
    this.#depth = new DepthCounter(limits)
    this.#keys = new IdempotencyKeys(database)
    // read from the index alone: a million chunks take some 100 ms
    const waiting = database.prepare(
      `SELECT app_id, sum(waiting) AS notifications, sum(bytes) AS bytes FROM chunks
       WHERE due_at_ms IS NOT NULL GROUP BY app_id`,
    )
    for (const row of waiting.all())
      this.#depth.add(String(row['app_id']), {
        notifications: Number(row['notifications']),
        bytes: Number(row['bytes']),
      })
  }

  async enqueue(chunks: readonly Chunk[], idempotency?: IdempotencyKey): Promise<Enqueued> {
    const nowMs = this.#clock.now()
    const encoded = chunks.map((chunk) => encodeChunk(chunk, nowMs))
    const appId = chunks[0]?.appId ?? ''
    const more = {
      notifications: chunks.reduce((sum, chunk) => sum + chunk.deviceTokens.length, 0),
      bytes: encoded.reduce((sum, { bytes }) => sum + bytes, 0),
    }
    this.#depth.refuseUnlessRoom(appId, more)
    // counted from now on, so that calls that wait for the same commit do not all find the last of the room
    this.#depth.add(appId, more)
    let enqueued: Enqueued = { type: 'enqueued' }
    let rowIds: number[] = []
    try {
      await this.#commits.run(() => {
        enqueued =
          idempotency === undefined ? { type: 'enqueued' } : this.#keys.claim(idempotency, nowMs)
        rowIds =
          enqueued.type === 'enqueued' ? encoded.map((one) => this.#writer.insert(one, nowMs)) : []
      })
    } catch (error) {
      this.#depth.add(appId, negative(more))
      throw error
    }
    if (rowIds.length === 0) this.#depth.add(appId, negative(more))
    else this.#waitFrom(encoded, rowIds, appId)
    return enqueued
  }

  #waitFrom(encoded: readonly EncodedChunk[], rowIds: readonly number[], appId: string): void {
    encoded.forEach(({ chunk, dueAtMs }, index) =>
      this.#lanes.added(chunk, { rowId: rowIds[index]!, dueAtMs }),
    )
    this.#tellWork(appId)
  }

  async lease(appId: string, lane: Lane, limit: number): Promise<Lease[]> {
    this.#dropOverdue()
    const leases: HeldLease[] = []
    let notifications = 0
    for (const row of this.#lanes.due(appId, lane)) {
      const lease = this.#read(row)
      if (lease === null) continue
      lease.endsAtMs = this.#clock.elapsed() + LEASE_MS
      this.#held.set(lease.rowId, lease)
      this.#lanes.leased(lease)
      leases.push(lease)
      notifications += lease.outcomes.waiting
      if (notifications >= limit) break
    }
    return leases
  }

  /** Null for a row that makes no sense: it is left where it is, and the others go on. */
  #read(row: Row): HeldLease | null {
    try {
      return readLease(row)
    } catch (error) {
      const rowId = Number(row['id'])
      this.#unreadable.add(rowId)
      this.#onUnreadable(rowId, error)
      return null
    }
  }

  async untilDueMs(appId: string, lane: Lane): Promise<number | null> {
    return this.#lanes.untilDueMs(appId, lane)
  }

  async appsWithWork(): Promise<string[]> {
    return [...this.#depth.depth.byApp.keys()].sort()
  }

  async extend(lease: Lease): Promise<void> {
    this.#holding(lease).endsAtMs = this.#clock.elapsed() + LEASE_MS
  }

  async progress(lease: Lease): Promise<void> {
    const held = this.#holding(lease)
    await this.#write(held, () => this.#writer.update(held, held.dueAtMs))
    held.endsAtMs = this.#clock.elapsed() + LEASE_MS
  }

  async ack(lease: Lease): Promise<void> {
    const held = this.#holding(lease)
    const { waiting } = held.outcomes
    if (waiting > 0) throw new Error(`a chunk was acked with ${waiting} notifications waiting`)
    await this.#write(held, () => this.#writer.end(held, this.#clock.now()))
    this.#ended(held)
  }

  async nak(lease: Lease, delayMs: number): Promise<void> {
    const held = this.#holding(lease)
    let dueAtMs = 0
    await this.#write(held, () => {
      // decided within the commit: whoever cancelled before it has been answered that all is cancelled
      if (held.isCancelled) {
        held.outcomes.settleRest('cancelled')
        this.#writer.end(held, this.#clock.now())
        return
      }
      dueAtMs = Math.max(this.#clock.now() + Math.round(delayMs), held.outcomes.firstDueMs())
      this.#writer.update(held, dueAtMs)
    })
    if (held.outcomes.waiting === 0) {
      this.#ended(held)
      return
    }
    this.#held.delete(held.rowId)
    this.#lanes.givenBack(held, dueAtMs)
    this.#tellWork(held.chunk.appId)
  }

  async term(lease: Lease, state: FinalState, detail?: OutcomeDetail): Promise<void> {
    lease.outcomes.settleRest(state, detail)
    await this.ack(lease)
  }

  async cancel(batchId: string): Promise<number> {
    let after = -1
    return this.#cancelAll(() => {
      const rows = this.#waiting.ofBatch(batchId, after, CHUNKS_IN_A_COMMIT)
      after = Number(rows.at(-1)?.['first_index'])
      return rows
    })
  }

  async cancelApp(appId: string): Promise<number> {
    let after: Row | undefined
    return this.#cancelAll(() => {
      const rows = this.#waiting.ofApp(appId, after, CHUNKS_IN_A_COMMIT)
      after = rows.at(-1)
      return rows
    })
  }

  async expire(limit: number): Promise<number> {
    const nowMs = this.#clock.now()
    // asked every second, and mostly in vain: no reason to write
    if (this.#waiting.over(nowMs, 1).length === 0) return 0
    const { chunks } = await this.#endWaiting('expired', () => this.#waiting.over(nowMs, limit))
    return chunks
  }

  onWork(listener: (appId: string) => void): void {
    this.#listeners.push(listener)
  }

  depth(): QueueDepth {
    return this.#depth.depth
  }

  /** The outcomes of a chunk in hand, which knows more than its row. */
  outcomesInHand(rowId: number): Outcomes | undefined {
    return this.#held.get(rowId)?.outcomes
  }

  #tellWork(appId: string): void {
    for (const listener of this.#listeners) listener(appId)
  }

  /** @throws {ApnsdError} lease-lost */
  #holding(lease: Lease): HeldLease {
    const held = lease as HeldLease
    if (this.#held.get(held.rowId) !== held)
      throw new ApnsdError('lease-lost', 'A chunk was given back by one that holds it no more.')
    return held
  }

  /** Looks for leases that have run out, now and then: their chunks wait again. */
  #dropOverdue(): void {
    const elapsedMs = this.#clock.elapsed()
    if (elapsedMs < this.#checkedLeasesAtMs + LEASE_MS / 60) return
    this.#checkedLeasesAtMs = elapsedMs
    for (const held of this.#held.values()) {
      if (held.endsAtMs > elapsedMs) continue
      this.#held.delete(held.rowId)
      this.#lanes.givenBack(held, held.dueAtMs)
    }
  }

  #ended({ rowId, chunk, bytes, waitingWritten }: HeldLease): void {
    this.#held.delete(rowId)
    this.#lanes.ended(chunk, true)
    this.#depth.add(chunk.appId, { notifications: -waitingWritten, bytes: -bytes })
  }

  /** Writes a lease down, and tells the sink what is new since it was last written, in one transaction. */
  async #write(held: HeldLease, update: () => void): Promise<void> {
    let details = held.detailsWritten
    // nobody waits for what Apple accepted; what follows from a rejection is to be found at once
    const isPatient = held.outcomes.details.size === details
    await this.#commits.run(
      () => {
        update()
        details = this.#tellSink(held)
      },
      { isPatient },
    )
    held.detailsWritten = details
    const { waiting } = held.outcomes
    const notifications = Math.min(waiting, held.waitingWritten) - held.waitingWritten
    this.#depth.add(held.chunk.appId, { notifications, bytes: 0 })
    held.waitingWritten += notifications
  }

  /** @returns how many details are written down when this is */
  #tellSink({ outcomes, chunk, detailsWritten }: HeldLease): number {
    const { details } = outcomes
    if (details.size > detailsWritten)
      this.#sink.record(chunk, new Map([...details].slice(detailsWritten)), this.#clock.now())
    return details.size
  }

  /** Cancels slice by slice, so that others have their turn in between; how many notifications there were. */
  async #cancelAll(nextSlice: () => Row[]): Promise<number> {
    let notifications = 0
    for (;;) {
      const ended = await this.#endWaiting('cancelled', nextSlice)
      notifications += ended.notifications
      if (ended.rows < CHUNKS_IN_A_COMMIT) return notifications
    }
  }

  /**
   * Ends chunks that nobody holds; those in hand are marked where they are cancelled, and end when they are given back.
   * @param read called within the commit
   */
  async #endWaiting(
    state: 'cancelled' | 'expired',
    read: () => Row[],
  ): Promise<{ rows: number; chunks: number; notifications: number }> {
    let rows: Row[] = []
    let ended: Row[] = []
    await this.#commits.run(() => {
      rows = read()
      ended = rows.filter((row) => !this.#held.has(Number(row['id'])))
      for (const row of ended) this.#endRow(row, state)
      if (state === 'cancelled')
        for (const row of rows) this.#markCancelled(this.#held.get(Number(row['id'])))
    })
    let notifications = 0
    for (const row of ended) {
      notifications += Number(row['waiting'])
      this.#forgetWaiting(row)
    }
    return { rows: rows.length, chunks: ended.length, notifications }
  }

  #endRow(row: Row, state: 'cancelled' | 'expired'): void {
    const outcomes = readOutcomes(row)
    outcomes.settleRest(state)
    const isCancelled = state === 'cancelled'
    this.#writer.end({ rowId: Number(row['id']), outcomes, isCancelled }, this.#clock.now())
  }

  #markCancelled(held: HeldLease | undefined): void {
    if (held === undefined) return
    held.isCancelled = true
    this.#writer.markCancelled(held.rowId)
  }

  #forgetWaiting(row: Row): void {
    const appId = String(row['app_id'])
    const chunk = { appId, batchId: String(row['batch_id']), options: { lane: laneOf(row) } }
    this.#lanes.ended(chunk, false)
    const notifications = -Number(row['waiting'])
    this.#depth.add(appId, { notifications, bytes: -Number(row['bytes']) })
  }
}

const negative = ({ notifications, bytes }: { notifications: number; bytes: number }) => ({
  notifications: -notifications,
  bytes: -bytes,
})
