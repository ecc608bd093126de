import type { Database } from '../../base/database.ts'
import type { Row, Statement } from '../../base/statement.ts'
import { type Chunk, overAtMs } from '../../core/notifications/chunk.ts'
import { Outcomes } from '../../core/outcome.ts'
import type { BatchOptions, Lane } from '../../core/policy/lanes.ts'
import {
  decodeDeviceTokens,
  decodePayloads,
  encodeDeviceTokens,
  encodePayloads,
  formatDetails,
  formatRetries,
  parseDetails,
  parseRetries,
} from '../chunk-codec.ts'
import { HeldLease } from './held-lease.ts'

/** A chunk ready to be written. */
export interface EncodedChunk {
  readonly chunk: Chunk
  readonly dueAtMs: number
  readonly deviceTokens: Buffer
  readonly payloads: Buffer
  readonly bytes: number
}

export function encodeChunk(chunk: Chunk, nowMs: number): EncodedChunk {
  const deviceTokens = encodeDeviceTokens(chunk.deviceTokens)
  const payloads = encodePayloads(chunk)
  return {
    chunk,
    dueAtMs: Math.max(nowMs, chunk.options.sendAtMs),
    deviceTokens,
    payloads,
    bytes: deviceTokens.length + payloads.length,
  }
}

export const laneNumber = (lane: Lane): number => (lane === 'small' ? 0 : 1)
export const laneOf = (row: Row): Lane => (row['lane'] === 0 ? 'small' : 'large')

/** The statements that write chunks down. */
export class ChunkWriter {
  readonly #insert: Statement
  readonly #insertContents: Statement
  readonly #update: Statement
  readonly #end: Statement
  readonly #forgetPayloads: Statement
  readonly #markCancelled: Statement

  constructor(database: Database) {
    this.#insert = database.prepare(
      `INSERT INTO chunks (app_id, batch_id, first_index, count, lane, enqueued_at_ms, due_at_ms, expires_at_ms,
         over_at_ms, send_at_ms, rate, waiting, bytes, states)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    )
    this.#insertContents = database.prepare(
      `INSERT INTO contents (chunk_id, device_tokens, payloads) VALUES (?, ?, ?)`,
    )
    this.#update = database.prepare(
      `UPDATE chunks SET states = ?, details = ?, retries = ?, waiting = ?, due_at_ms = ? WHERE id = ?`,
    )
    this.#end = database.prepare(
      `UPDATE chunks SET states = ?, details = ?, retries = ?, waiting = 0, due_at_ms = NULL, ended_at_ms = ?,
         cancelled = ? WHERE id = ?`,
    )
    this.#forgetPayloads = database.prepare(
      `UPDATE contents SET payloads = NULL WHERE chunk_id = ?`,
    )
    this.#markCancelled = database.prepare(`UPDATE chunks SET cancelled = 1 WHERE id = ?`)
  }

  /** @returns the id of its row */
  insert({ chunk, dueAtMs, deviceTokens, payloads, bytes }: EncodedChunk, nowMs: number): number {
    const { appId, batchId, firstIndex, options } = chunk
    const count = chunk.deviceTokens.length
    const { lastInsertRowid } = this.#insert.run(
      ...[appId, batchId, firstIndex, count, laneNumber(options.lane), nowMs, dueAtMs],
      ...[options.expiresAtMs, overAtMs(chunk), options.sendAtMs, options.ratePerS],
      ...[count, bytes, new Uint8Array(count)],
    )
    this.#insertContents.run(lastInsertRowid, deviceTokens, payloads)
    return Number(lastInsertRowid)
  }

  update({ rowId, outcomes }: Pick<HeldLease, 'rowId' | 'outcomes'>, dueAtMs: number): void {
    const { states, details, retries, waiting } = outcomes
    this.#update.run(
      ...[states, formatDetails(details), formatRetries(retries), waiting, dueAtMs, rowId],
    )
  }

  end(
    { rowId, outcomes, isCancelled }: Pick<HeldLease, 'rowId' | 'outcomes' | 'isCancelled'>,
    nowMs: number,
  ): void {
    const { states, details, retries } = outcomes
    this.#end.run(
      ...[
        states,
        formatDetails(details),
        formatRetries(retries),
        nowMs,
        isCancelled ? 1 : 0,
        rowId,
      ],
    )
    this.#forgetPayloads.run(rowId)
  }

  markCancelled(rowId: number): void {
    this.#markCancelled.run(rowId)
  }
}

export function readOutcomes(row: Row): Outcomes {
  return new Outcomes(
    row['states'] as Uint8Array,
    parseDetails(row['details'] as string | null),
    parseRetries(row['retries'] as string | null),
  )
}

export function readOptions(row: Row): BatchOptions {
  return {
    lane: laneOf(row),
    sendAtMs: Number(row['send_at_ms']),
    expiresAtMs: row['expires_at_ms'] as number | null,
    ratePerS: row['rate'] as number | null,
  }
}

/** Reads a row of chunks joined with contents. */
export function readLease(row: Row): HeldLease {
  const count = Number(row['count'])
  const chunk = {
    appId: String(row['app_id']),
    batchId: String(row['batch_id']),
    firstIndex: Number(row['first_index']),
    deviceTokens: decodeDeviceTokens(row['device_tokens'] as Uint8Array),
    ...decodePayloads(row['payloads'] as Uint8Array, count),
    options: readOptions(row),
  }
  return new HeldLease(Number(row['id']), chunk, readOutcomes(row), {
    enqueuedAtMs: Number(row['enqueued_at_ms']),
    dueAtMs: Number(row['due_at_ms']),
    bytes: Number(row['bytes']),
    isCancelled: row['cancelled'] === 1,
  })
}
