import type { Database } from '../base/database.ts'
import type { Statement } from '../base/statement.ts'
import type { Chunk } from '../core/notifications/chunk.ts'
import type { OutcomeDetail } from '../core/outcome.ts'
import type { FeedbackStore, OutcomeSink } from '../core/ports.ts'
import type { FeedbackEntry } from '../core/provider-requests.ts'

/** The status that declares a device token dead; Apple's successor to its feedback service. */
const STATUS_GONE = 410

/**
 * Device tokens that Apple declared dead, in SQLite. One entry for each app and device token: when Apple says so again,
 * the entry counts as new and is handed out again, since somebody went on sending.
 */
export class SqliteFeedbackStore implements FeedbackStore, OutcomeSink {
  readonly #database: Database
  readonly #insert: Statement

  constructor(database: Database) {
    this.#database = database
    this.#insert = database.prepare(
      `INSERT OR REPLACE INTO feedback (app_id, device_token, timestamp_ms, reason) VALUES (?, ?, ?, ?)`,
    )
  }

  record(chunk: Chunk, details: ReadonlyMap<number, OutcomeDetail>, atMs: number): void {
    for (const [index, { status, reason, timestampMs }] of details) {
      const deviceToken = chunk.deviceTokens[index]
      if (status !== STATUS_GONE || deviceToken === undefined) continue
      this.#insert.run(chunk.appId, deviceToken, Math.round(timestampMs ?? atMs), reason)
    }
  }

  async take(appId: string, atMs: number): Promise<FeedbackEntry[]> {
    return this.#database.transaction(() => {
      const rows = this.#database
        .prepare(
          `SELECT seq, device_token, timestamp_ms FROM feedback
           WHERE app_id = ? AND taken_at_ms IS NULL ORDER BY seq`,
        )
        .all(appId)
      const note = this.#database.prepare('UPDATE feedback SET taken_at_ms = ? WHERE seq = ?')
      for (const { seq } of rows) note.run(atMs, seq as number)
      return rows.map((row) => ({
        deviceToken: String(row['device_token']),
        timestampMs: Number(row['timestamp_ms']),
      }))
    })
  }
}
