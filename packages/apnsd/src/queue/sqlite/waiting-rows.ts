import type { Database } from '../../base/database.ts'
import type { Row, Statement } from '../../base/statement.ts'

const COLUMNS = `id, app_id, batch_id, first_index, lane, due_at_ms, bytes, waiting, states, details, retries`

/** Reads rows of chunks that have not ended, a slice at a time, in the order of an index: those in hand are among them. */
export class WaitingRows {
  readonly #ofBatch: Statement
  readonly #ofApp: Statement
  readonly #over: Statement

  constructor(database: Database) {
    this.#ofBatch = database.prepare(
      `SELECT ${COLUMNS} FROM chunks WHERE batch_id = ? AND first_index > ? AND due_at_ms IS NOT NULL
       ORDER BY first_index LIMIT ?`,
    )
    this.#ofApp = database.prepare(
      `SELECT ${COLUMNS} FROM chunks WHERE app_id = ? AND due_at_ms IS NOT NULL
         AND (lane, due_at_ms, id) > (?, ?, ?) ORDER BY lane, due_at_ms, id LIMIT ?`,
    )
    this.#over = database.prepare(
      `SELECT ${COLUMNS} FROM chunks WHERE due_at_ms IS NOT NULL AND over_at_ms <= ? ORDER BY over_at_ms LIMIT ?`,
    )
  }

  /** @param after the first index of the last one seen; -1: none */
  ofBatch(batchId: string, after: number, limit: number): Row[] {
    return this.#ofBatch.all(batchId, after, limit)
  }

  /** @param after the last one seen */
  ofApp(appId: string, after: Row | undefined, limit: number): Row[] {
    const { lane = -1, due_at_ms: dueAtMs = 0, id = 0 } = after ?? {}
    return this.#ofApp.all(appId, lane, dueAtMs, id, limit)
  }

  /** Those in which nothing may be sent any more. */
  over(nowMs: number, limit: number): Row[] {
    return this.#over.all(nowMs, limit)
  }
}
