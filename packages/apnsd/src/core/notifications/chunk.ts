import type { CheckedNotification, CheckedPayload } from './check.ts'

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
}

/** A chunk is leased and settled whole, so it bounds what one crash can send twice and one settlement writes. */
export const MAX_CHUNK_NOTIFICATIONS = 1000

/** Cuts a batch into chunks, each payload kept once in each. */
export function cutIntoChunks(
  appId: string,
  batchId: string,
  notifications: readonly CheckedNotification[],
): Chunk[] {
  const chunks: Chunk[] = []
  for (let first = 0; first < notifications.length; first += MAX_CHUNK_NOTIFICATIONS)
    chunks.push(
      makeChunk(appId, batchId, first, notifications.slice(first, first + MAX_CHUNK_NOTIFICATIONS)),
    )
  return chunks
}

function makeChunk(
  appId: string,
  batchId: string,
  firstIndex: number,
  notifications: readonly CheckedNotification[],
): Chunk {
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
    appId,
    batchId,
    firstIndex,
    deviceTokens: notifications.map(({ deviceToken }) => deviceToken),
    payloads: [...indexOf.keys()],
    payloadOf,
  }
}
