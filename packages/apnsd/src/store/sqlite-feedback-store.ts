import type { Database } from '../base/database.ts'
import { ApnsdError } from '../base/errors.ts'
import type { Row, Statement } from '../base/statement.ts'
import { verdictOn } from '../core/feedback.ts'
import type { Chunk } from '../core/notifications/chunk.ts'
import type { OutcomeDetail } from '../core/outcome.ts'
import type { FeedbackStore, OutcomeSink } from '../core/ports.ts'
import type { FeedbackEntry, FeedbackRecord } from '../core/provider-requests.ts'

/**
 * Device tokens that Apple declared dead, in SQLite, and suspects. One entry for each app and device token: when Apple
 * says so again, the entry counts as new and is handed out again, since somebody went on sending. The dead replace
 * suspects, never the other way round.
 */
export class SqliteFeedbackStore implements FeedbackStore, OutcomeSink {
  readonly #database: Database
  readonly #recordDead: Statement
  readonly #recordSuspect: Statement
  readonly #sweep: Statement

  constructor(database: Database) {
    this.#database = database
    // a new row rather than a changed one: its place in the order is that of the latest word
    const insert = `INSERT OR REPLACE INTO feedback
      (app_id, device_token, timestamp_ms, status, reason, recorded_at_ms, suspect)`
    this.#recordDead = database.prepare(`${insert} VALUES (?1, ?2, ?3, ?4, ?5, ?6, 0)`)
    this.#recordSuspect = database.prepare(
      `${insert} SELECT ?1, ?2, ?3, ?4, ?5, ?6, 1 WHERE NOT EXISTS
         (SELECT 1 FROM feedback WHERE app_id = ?1 AND device_token = ?2 AND suspect = 0)`,
    )
    this.#sweep = database.prepare(
      `DELETE FROM feedback WHERE seq IN
         (SELECT seq FROM feedback WHERE recorded_at_ms < ? ORDER BY recorded_at_ms LIMIT ?)`,
    )
  }

  record(chunk: Chunk, details: ReadonlyMap<number, OutcomeDetail>, atMs: number): void {
    for (const [index, detail] of details) {
      const deviceToken = chunk.deviceTokens[index]
      const verdict = verdictOn(detail)
      if (verdict === null || deviceToken === undefined) continue
      const { status, reason, timestampMs = atMs } = detail
      const statement = verdict === 'dead' ? this.#recordDead : this.#recordSuspect
      statement.run(chunk.appId, deviceToken, Math.round(timestampMs), status ?? 0, reason, atMs)
    }
  }

  async take(appId: string, atMs: number): Promise<FeedbackEntry[]> {
    const untaken = 'app_id = ? AND taken_at_ms IS NULL AND suspect = 0'
    return this.#database.transaction(() => {
      const rows = this.#database
        .prepare(`SELECT device_token, timestamp_ms FROM feedback WHERE ${untaken} ORDER BY seq`)
        .all(appId)
      if (rows.length > 0)
        this.#database
          .prepare(`UPDATE feedback SET taken_at_ms = ? WHERE ${untaken}`)
          .run(atMs, appId)
      return rows.map(readEntry)
    })
  }

  async since(appId: string, sinceMs: number): Promise<FeedbackEntry[]> {
    return this.#database
      .prepare(
        `SELECT device_token, timestamp_ms FROM feedback
         WHERE app_id = ? AND recorded_at_ms >= ? AND suspect = 0 ORDER BY seq`,
      )
      .all(appId, sinceMs)
      .map(readEntry)
  }

  async read(appId: string, after: number, limit: number): Promise<FeedbackRecord[]> {
    if (after > this.#lastPosition())
      throw new ApnsdError('invalid-argument', 'The cursor is of another data folder.', {
        place: '/after',
        hint: 'Leave it out to begin at the beginning.',
      })
    return this.#database
      .prepare('SELECT * FROM feedback WHERE app_id = ? AND seq > ? ORDER BY seq LIMIT ?')
      .all(appId, after, limit)
      .map(readRecord)
  }

  /**
   * Forgets what was recorded before a time, at most `limit` entries, so that no sweep holds others up for long.
   * @returns how many it forgot
   */
  sweep(beforeMs: number, limit: number): number {
    return this.#database.transaction(() => Number(this.#sweep.run(beforeMs, limit).changes))
  }

  /** The highest position ever given, forgotten entries included. [sqlite.org/autoinc.html] */
  #lastPosition(): number {
    const row = this.#database.get(`SELECT seq FROM sqlite_sequence WHERE name = 'feedback'`)
    return Number(row?.['seq'] ?? 0)
  }
}

const readEntry = (row: Row): FeedbackEntry => ({
  deviceToken: String(row['device_token']),
  timestampMs: Number(row['timestamp_ms']),
})

const readRecord = (row: Row): FeedbackRecord => ({
  ...readEntry(row),
  position: Number(row['seq']),
  status: Number(row['status']),
  reason: String(row['reason']),
  recordedAtMs: Number(row['recorded_at_ms']),
  isSuspect: row['suspect'] === 1,
})
