import type { Database } from '../../base/database.ts'
import type { Statement } from '../../base/statement.ts'
import type { Enqueued, IdempotencyKey } from '../../core/ports.ts'

/** How long a call can be repeated. */
export const KEY_LIFE_MS = 24 * 60 * 60_000

/** Remembers the keys that calls came with, and what each was answered. */
export class IdempotencyKeys {
  readonly #find: Statement
  readonly #insert: Statement
  readonly #findOld: Statement
  readonly #forget: Statement

  constructor(database: Database) {
    this.#find = database.prepare(
      `SELECT digest, answer FROM idempotency_keys WHERE app_id = ? AND key = ? AND created_at_ms > ?`,
    )
    this.#insert = database.prepare(
      `INSERT OR REPLACE INTO idempotency_keys (app_id, key, digest, answer, created_at_ms) VALUES (?, ?, ?, ?, ?)`,
    )
    this.#findOld = database.prepare(
      `SELECT 1 FROM idempotency_keys WHERE created_at_ms <= ? LIMIT 1`,
    )
    this.#forget = database.prepare(
      `DELETE FROM idempotency_keys WHERE (app_id, key) IN
         (SELECT app_id, key FROM idempotency_keys WHERE created_at_ms <= ? ORDER BY created_at_ms LIMIT ?)`,
    )
  }

  /** Looks for an earlier call with the key; where there is none, this is the one that counts. */
  claim({ appId, key, digest, answer }: IdempotencyKey, nowMs: number): Enqueued {
    const earlier = this.#find.get(appId, key, nowMs - KEY_LIFE_MS)
    if (earlier === undefined) {
      this.#insert.run(appId, key, digest, answer, nowMs)
      return { type: 'enqueued' }
    }
    if (earlier['digest'] !== digest) return { type: 'conflict' }
    return { type: 'repeated', answer: String(earlier['answer']) }
  }

  /** True where there are some that have had their day. */
  hasOld(nowMs: number): boolean {
    return this.#findOld.get(nowMs - KEY_LIFE_MS) !== undefined
  }

  forget(nowMs: number, limit: number): void {
    this.#forget.run(nowMs - KEY_LIFE_MS, limit)
  }
}
