import type { Database } from '../../base/database.ts'
import type { GroupCommit } from '../../base/group-commit.ts'
import type { Row, Statement } from '../../base/statement.ts'
import { formatApnsId } from '../../core/notifications/apns-id.ts'
import { type Outcomes, STATES, type State } from '../../core/outcome.ts'
import { MAX_CHUNK_NOTIFICATIONS } from '../../core/policy/lanes.ts'
import type { BatchRecord, Clock, NotificationRecord, OutcomeArchive } from '../../core/ports.ts'
import { decodeDeviceTokens } from '../chunk-codec.ts'
import { readOptions, readOutcomes } from './chunk-rows.ts'
import { IdempotencyKeys } from './idempotency-keys.ts'

/** What became of the chunks of the queue in SQLite: their rows stay when they have ended, until they are forgotten. */
export class SqliteArchive implements OutcomeArchive {
  readonly #database: Database
  readonly #commits: GroupCommit
  readonly #clock: Clock
  readonly #outcomesInHand: (rowId: number) => Outcomes | undefined
  readonly #keys: IdempotencyKeys
  readonly #byPlace: Statement
  readonly #ofBatch: Statement
  readonly #endedBefore: Statement
  readonly #deleteChunk: Statement
  readonly #deleteContents: Statement

  /** @param outcomesInHand those of a chunk that is leased, which knows more than its row */
  constructor(
    database: Database,
    commits: GroupCommit,
    clock: Clock,
    outcomesInHand: (rowId: number) => Outcomes | undefined,
  ) {
    this.#database = database
    this.#commits = commits
    this.#clock = clock
    this.#outcomesInHand = outcomesInHand
    this.#keys = new IdempotencyKeys(database)
    this.#byPlace = database.prepare(
      `SELECT c.*, t.device_tokens FROM chunks c JOIN contents t ON t.chunk_id = c.id
       WHERE c.batch_id = ? AND c.first_index > ? ORDER BY c.first_index`,
    )
    this.#ofBatch = database.prepare(`SELECT * FROM chunks WHERE batch_id = ? ORDER BY first_index`)
    this.#endedBefore = database.prepare(
      `SELECT id FROM chunks WHERE ended_at_ms < ? ORDER BY ended_at_ms LIMIT ?`,
    )
    this.#deleteChunk = database.prepare(`DELETE FROM chunks WHERE id = ?`)
    this.#deleteContents = database.prepare(`DELETE FROM contents WHERE chunk_id = ?`)
  }

  async find(batchId: string, index: number): Promise<NotificationRecord | undefined> {
    const [record] = await this.list(batchId, index, 1)
    return record?.index === index ? record : undefined
  }

  async list(batchId: string, firstIndex: number, limit: number): Promise<NotificationRecord[]> {
    const records: NotificationRecord[] = []
    for (const row of this.#byPlace.iterate(batchId, firstIndex - MAX_CHUNK_NOTIFICATIONS)) {
      const start = Number(row['first_index'])
      const count = Number(row['count'])
      const deviceTokens = decodeDeviceTokens(row['device_tokens'] as Uint8Array)
      const outcomes = this.#outcomesOf(row)
      for (let at = Math.max(0, firstIndex - start); at < count; at += 1) {
        if (records.length >= limit) return records
        records.push(readRecord(row, outcomes, at, deviceTokens[at] ?? ''))
      }
      if (records.length >= limit) return records
    }
    return records
  }

  async findBatch(batchId: string): Promise<BatchRecord | undefined> {
    const counts = Object.fromEntries(STATES.map((state) => [state, 0])) as Record<State, number>
    const reasons = new Map<string, number>()
    let first: Row | undefined
    let isCancelled = false
    for (const row of this.#ofBatch.iterate(batchId)) {
      first ??= row
      isCancelled ||= row['cancelled'] === 1
      const outcomes = this.#outcomesOf(row)
      for (let index = 0; index < outcomes.states.length; index += 1) {
        counts[outcomes.stateOf(index)] += 1
        const reason =
          outcomes.details.get(index)?.reason ?? outcomes.retries.get(index)?.reason ?? ''
        if (reason !== '') reasons.set(reason, (reasons.get(reason) ?? 0) + 1)
      }
    }
    if (first === undefined) return undefined
    return {
      batchId,
      appId: String(first['app_id']),
      enqueuedAtMs: Number(first['enqueued_at_ms']),
      options: readOptions(first),
      isCancelled,
      counts,
      reasons,
    }
  }

  async forget(endedBeforeMs: number, limit: number): Promise<number> {
    let forgotten = 0
    const nowMs = this.#clock.now()
    // asked every minute, and mostly in vain: no reason to write
    const isAny = this.#endedBefore.get(endedBeforeMs, 1) !== undefined
    if (!isAny && !this.#keys.hasOld(nowMs)) return 0
    await this.#commits.run(() => {
      const rows = this.#endedBefore.all(endedBeforeMs, limit)
      for (const { id } of rows) {
        this.#deleteChunk.run(id!)
        this.#deleteContents.run(id!)
      }
      forgotten = rows.length
      this.#keys.forget(nowMs, limit)
    })
    return forgotten
  }

  usedBytes(): number {
    return this.#database.usedBytes()
  }

  #outcomesOf(row: Row): Outcomes {
    return this.#outcomesInHand(Number(row['id'])) ?? readOutcomes(row)
  }
}

function readRecord(
  row: Row,
  outcomes: Outcomes,
  at: number,
  deviceToken: string,
): NotificationRecord {
  const batchId = String(row['batch_id'])
  const index = Number(row['first_index']) + at
  const state = outcomes.stateOf(at)
  const retry = outcomes.retries.get(at)
  const waitsAgain = state === 'waiting' && retry !== undefined
  return {
    apnsId: formatApnsId(batchId, index),
    batchId,
    index,
    appId: String(row['app_id']),
    deviceToken,
    state,
    detail: outcomes.details.get(at) ?? null,
    attempts: outcomes.attemptsOf(at),
    next: waitsAgain ? { atMs: retry.dueAtMs, reason: retry.reason } : null,
    enqueuedAtMs: Number(row['enqueued_at_ms']),
  }
}
