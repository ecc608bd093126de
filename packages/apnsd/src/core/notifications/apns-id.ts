/**
 * The `apns-id` of each notification is its batch's identifier followed by its index in the batch:
 *
 *     xxxxxxxx-xxxx-4xxx-yxxx-xxxx iiiiiiii
 *     └─ batch: 12 bytes, random ─┘└ index, big-endian ┘
 *
 * So it is a valid UUID of version 4, need not be stored, stays the same however often the notification is sent, and
 * leads back to batch and index.
 */
const BATCH_HEX_DIGITS = 24
const INDEX_HEX_DIGITS = 8
const CANONICAL_UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/

/** Makes the identifier of a new batch from a random UUID of version 4. */
export function batchIdFromUuid(uuid: string): string {
  return uuid.replaceAll('-', '').slice(0, BATCH_HEX_DIGITS)
}

/** Formats the `apns-id` of the notification at `index` (0 to 2^32-1) of a batch. */
export function formatApnsId(batchId: string, index: number): string {
  const tail = index.toString(16).padStart(INDEX_HEX_DIGITS, '0')
  return (
    `${batchId.slice(0, 8)}-${batchId.slice(8, 12)}-${batchId.slice(12, 16)}-` +
    `${batchId.slice(16, 20)}-${batchId.slice(20)}${tail}`
  )
}

/** Parses an `apns-id` of ours, in any case, into batch and index; null where it is no UUID. */
export function parseApnsId(apnsId: string): { batchId: string; index: number } | null {
  const lower = apnsId.toLowerCase()
  if (!CANONICAL_UUID.test(lower)) return null
  const digits = lower.replaceAll('-', '')
  return {
    batchId: digits.slice(0, BATCH_HEX_DIGITS),
    index: Number.parseInt(digits.slice(BATCH_HEX_DIGITS), 16),
  }
}
