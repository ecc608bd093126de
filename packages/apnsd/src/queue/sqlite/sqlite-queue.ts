import type { Database, Row } from '../../base/database.ts'
import { ApnsdError } from '../../base/errors.ts'
import { GroupCommit } from '../../base/group-commit.ts'
import type { Statement } from '../../base/statement.ts'
import { formatApnsId } from '../../core/notifications/apns-id.ts'
import type { Chunk } from '../../core/notifications/chunk.ts'
import { type OutcomeDetail, Outcomes, type State } from '../../core/outcome.ts'
import type { Clock, Lease, NotificationRecord, OutcomeSink, Queue } from '../../core/ports.ts'
import {
  decodeDeviceTokens,
  decodePayloads,
  encodeDeviceTokens,
  encodePayloads,
  formatDetails,
  parseDetails,
} from '../chunk-codec.ts'

/** A lease as this queue remembers it: the row it stands for, and which details were written down already. */
interface HeldLease extends Lease {
  readonly rowId: number
  readonly recorded: Set<number>
}

/**
 * The queue in one SQLite file, for one daemon.
 *
 * Leases are kept in memory: the folder's lock makes this process the only holder there can be, so a lease ends with it,
 * and after a crash everything that had not ended is waiting again at once.
 */
export class SqliteQueue implements Queue {
  readonly #clock: Clock
  readonly #sink: OutcomeSink
  readonly #commits: GroupCommit
  readonly #held = new Map<number, HeldLease>()
  readonly #listeners: ((appId: string) => void)[] = []
  readonly #insert: Statement
  readonly #due: Statement
  readonly #nextDue: Statement
  readonly #waitingOf: Statement
  readonly #byId: Statement
  readonly #byPlace: Statement
  readonly #update: Statement
  readonly #end: Statement
  readonly #apps: Statement

  constructor(database: Database, clock: Clock, sink: OutcomeSink) {
    this.#clock = clock
    this.#sink = sink
    this.#commits = new GroupCommit(database)
    this.#insert = database.prepare(
      `INSERT INTO chunks (app_id, batch_id, first_index, count, enqueued_at_ms, due_at_ms, device_tokens, payloads, states)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    )
    this.#due = database.prepare(
      `SELECT id FROM chunks WHERE app_id = ? AND due_at_ms <= ? ORDER BY due_at_ms, id LIMIT ?`,
    )
    this.#nextDue = database.prepare(
      `SELECT id, due_at_ms FROM chunks WHERE app_id = ? AND due_at_ms IS NOT NULL
       ORDER BY due_at_ms, id LIMIT ?`,
    )
    this.#waitingOf = database.prepare(
      `SELECT id FROM chunks WHERE app_id = ? AND due_at_ms IS NOT NULL`,
    )
    this.#byId = database.prepare(`SELECT * FROM chunks WHERE id = ?`)
    this.#byPlace = database.prepare(
      `SELECT * FROM chunks WHERE batch_id = ? AND first_index <= ? ORDER BY first_index DESC LIMIT 1`,
    )
    this.#update = database.prepare(
      `UPDATE chunks SET states = ?, details = ?, due_at_ms = ?, attempts = ? WHERE id = ?`,
    )
    this.#end = database.prepare(
      `UPDATE chunks SET states = ?, details = ?, due_at_ms = NULL, attempts = ?, payloads = NULL WHERE id = ?`,
    )
    this.#apps = database.prepare(
      `SELECT DISTINCT app_id FROM chunks WHERE due_at_ms IS NOT NULL ORDER BY app_id`,
    )
  }

  async enqueue(chunks: readonly Chunk[]): Promise<void> {
    const now = this.#clock.now()
    const rows = chunks.map((chunk) => [
      chunk.appId,
      chunk.batchId,
      chunk.firstIndex,
      chunk.deviceTokens.length,
      now,
      now,
      encodeDeviceTokens(chunk.deviceTokens),
      encodePayloads(chunk),
      new Uint8Array(chunk.deviceTokens.length),
    ])
    await this.#commits.run(() => {
      for (const row of rows) this.#insert.run(...row)
    })
    for (const appId of new Set(chunks.map((chunk) => chunk.appId))) this.#tellWork(appId)
  }

  async lease(appId: string, limit: number): Promise<Lease[]> {
    const leases: Lease[] = []
    // those in hand are due as well, and come first: look past them
    const ids = this.#due.all(appId, this.#clock.now(), limit + this.#held.size)
    for (const { id } of ids) {
      const rowId = Number(id)
      if (leases.length >= limit || this.#held.has(rowId)) continue
      const row = this.#byId.get(rowId)
      if (row === undefined) continue
      const lease = readLease(rowId, row)
      this.#held.set(rowId, lease)
      leases.push(lease)
    }
    return leases
  }

  async nextDueMs(appId: string): Promise<number | null> {
    const rows = this.#nextDue.all(appId, 1 + this.#held.size)
    const next = rows.find(({ id }) => !this.#held.has(Number(id)))
    return next === undefined ? null : Number(next['due_at_ms'])
  }

  async appsWithWork(): Promise<string[]> {
    return this.#apps.all().map((row) => String(row['app_id']))
  }

  async progress(lease: Lease): Promise<void> {
    const held = this.#holding(lease)
    await this.#write(held, () => {
      this.#writeWaiting(held, this.#clock.now(), held.attempt - 1)
    })
  }

  async ack(lease: Lease): Promise<void> {
    const held = this.#holding(lease)
    if (held.outcomes.waiting > 0)
      throw new Error(`a chunk was acked with ${held.outcomes.waiting} notifications waiting`)
    await this.#write(held, () => this.#writeEnd(held))
    this.#held.delete(held.rowId)
  }

  async nak(lease: Lease, delayMs: number, countsAsAttempt: boolean): Promise<void> {
    const held = this.#holding(lease)
    const attempts = countsAsAttempt ? held.attempt : held.attempt - 1
    const dueAtMs = Math.round(this.#clock.now() + delayMs)
    await this.#write(held, () => this.#writeWaiting(held, dueAtMs, attempts))
    this.#held.delete(held.rowId)
    this.#tellWork(held.chunk.appId)
  }

  async term(
    lease: Lease,
    state: Exclude<State, 'waiting'>,
    detail?: OutcomeDetail,
  ): Promise<void> {
    const { outcomes } = lease
    outcomes.states.forEach((current, index) => {
      if (current === 0) outcomes.settle(index, state, detail)
    })
    await this.ack(lease)
  }

  async find(batchId: string, index: number): Promise<NotificationRecord | undefined> {
    const row = this.#byPlace.get(batchId, index)
    if (row === undefined) return undefined
    const offset = index - Number(row['first_index'])
    if (offset >= Number(row['count'])) return undefined
    // a chunk in hand knows more than its row
    const held = this.#held.get(Number(row['id']))
    const outcomes = held?.outcomes ?? readOutcomes(row)
    return {
      apnsId: formatApnsId(batchId, index),
      batchId,
      appId: String(row['app_id']),
      deviceToken: decodeDeviceTokens(row['device_tokens'] as Uint8Array)[offset] ?? '',
      state: outcomes.stateOf(offset),
      detail: outcomes.details.get(offset) ?? null,
      attempts: held?.attempt ?? Number(row['attempts']),
      enqueuedAtMs: Number(row['enqueued_at_ms']),
    }
  }

  async cancelApp(appId: string): Promise<void> {
    await this.#commits.run(() => {
      for (const { id } of this.#waitingOf.all(appId)) {
        const row = this.#byId.get(Number(id))
        if (row === undefined || this.#held.has(Number(id))) continue
        const lease = readLease(Number(id), row)
        lease.outcomes.states.forEach((state, index) => {
          if (state === 0) lease.outcomes.settle(index, 'cancelled')
        })
        this.#writeEnd({ ...lease, attempt: lease.attempt - 1 })
      }
    })
  }

  onWork(listener: (appId: string) => void): void {
    this.#listeners.push(listener)
  }

  #tellWork(appId: string): void {
    for (const listener of this.#listeners) listener(appId)
  }

  #holding(lease: Lease): HeldLease {
    const held = lease as HeldLease
    if (this.#held.get(held.rowId) !== held)
      throw new ApnsdError('internal', 'A chunk was given back that nobody held.')
    return held
  }

  #writeWaiting({ outcomes, rowId }: HeldLease, dueAtMs: number, attempts: number): void {
    this.#update.run(outcomes.states, formatDetails(outcomes.details), dueAtMs, attempts, rowId)
  }

  #writeEnd({ outcomes, attempt, rowId }: HeldLease): void {
    this.#end.run(outcomes.states, formatDetails(outcomes.details), attempt, rowId)
  }

  /** Writes a lease down, and tells the sink what is new since it was last written, in one transaction. */
  async #write(held: HeldLease, update: () => void): Promise<void> {
    let fresh: [number, OutcomeDetail][] = []
    await this.#commits.run(() => {
      update()
      fresh = [...held.outcomes.details].filter(([index]) => !held.recorded.has(index))
      if (fresh.length > 0) this.#sink.record(held.chunk, new Map(fresh), this.#clock.now())
    })
    for (const [index] of fresh) held.recorded.add(index)
  }
}

function readLease(rowId: number, row: Row): HeldLease {
  const count = Number(row['count'])
  const outcomes = readOutcomes(row)
  return {
    rowId,
    chunk: {
      appId: String(row['app_id']),
      batchId: String(row['batch_id']),
      firstIndex: Number(row['first_index']),
      deviceTokens: decodeDeviceTokens(row['device_tokens'] as Uint8Array),
      ...decodePayloads(row['payloads'] as Uint8Array, count),
    },
    attempt: Number(row['attempts']) + 1,
    outcomes,
    recorded: new Set(outcomes.details.keys()),
  }
}

function readOutcomes(row: Row): Outcomes {
  const details = row['details']
  return new Outcomes(
    row['states'] as Uint8Array,
    parseDetails(details === null ? null : String(details)),
  )
}
