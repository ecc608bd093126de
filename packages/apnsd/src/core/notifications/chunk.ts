import { type BatchOptions, chunkSizeFor } from '../policy/lanes.ts'
import type { CheckedNotification, CheckedPayload } from './check.ts'
import type { Headers } from './headers.ts'

/**
 * Notifications that move as one: taken, stored, leased and settled together. All of one app and one batch.
 * In columns rather than objects, since there may be a thousand of them.
 */
export interface Chunk {
  readonly appId: string
  /** 24 hex digits; see {@link formatApnsId}. */
  readonly batchId: string
  /** Where in its batch the first of them stands. */
  readonly firstIndex: number
  /** Lower-case hex, one for each notification. */
  readonly deviceTokens: readonly string[]
  /** Each payload once, however many notifications share it. */
  readonly payloads: readonly CheckedPayload[]
  /** For each notification, which of `payloads` is its own. */
  readonly payloadOf: Uint16Array
  /** The same object for all chunks of a batch. */
  readonly options: BatchOptions
}

/** What the chunks of a batch have in common. */
export type Batch = Pick<Chunk, 'appId' | 'batchId' | 'options'>

/**
 * Cuts a batch into chunks, each payload kept once in each.
 * @param notifications by their place in the batch, in order; a place that is left out ends a chunk
 */
export function cutIntoChunks(
  batch: Batch,
  notifications: readonly CheckedNotification[],
): Chunk[] {
  const most = chunkSizeFor(batch.options)
  const chunks: Chunk[] = []
  let start = 0
  for (let end = 1; end <= notifications.length; end += 1) {
    const goesOn =
      end < notifications.length &&
      end - start < most &&
      notifications[end]!.index === notifications[end - 1]!.index + 1
    if (goesOn) continue
    chunks.push(makeChunk(batch, notifications.slice(start, end)))
    start = end
  }
  return chunks
}

function makeChunk(batch: Batch, notifications: readonly CheckedNotification[]): Chunk {
  const indexOf = new Map<CheckedPayload, number>()
  const payloadOf = new Uint16Array(notifications.length)
  notifications.forEach(({ payload }, index) => {
    let at = indexOf.get(payload)
    if (at === undefined) {
      at = indexOf.size
      indexOf.set(payload, at)
    }
    payloadOf[index] = at
  })
  return {
    appId: batch.appId,
    batchId: batch.batchId,
    options: batch.options,
    firstIndex: notifications[0]?.index ?? 0,
    deviceTokens: notifications.map(({ deviceToken }) => deviceToken),
    payloads: [...indexOf.keys()],
    payloadOf,
  }
}

/** When the last of a chunk's notifications has expired, by its ttl or by Apple's expiration; null: one never does. */
export function overAtMs({
  payloads,
  options,
}: Pick<Chunk, 'payloads' | 'options'>): number | null {
  let latest = 0
  for (const { headers } of payloads)
    latest = Math.max(latest, expiresAtMs(headers, options) ?? Number.POSITIVE_INFINITY)
  return latest === Number.POSITIVE_INFINITY ? null : latest
}

/** When a notification is not to be sent any more, ms since the epoch: its ttl or Apple's expiration; null: never. */
export function expiresAtMs(
  { expirationEpochS }: Pick<Headers, 'expirationEpochS'>,
  options: Pick<BatchOptions, 'expiresAtMs'>,
): number | null {
  // 0 is no time: it asks Apple not to keep what it cannot deliver at once
  if (expirationEpochS === undefined || expirationEpochS === 0) return options.expiresAtMs
  return Math.min(expirationEpochS * 1000, options.expiresAtMs ?? Number.POSITIVE_INFINITY)
}
