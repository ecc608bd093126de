import { PUSH_TYPES, type PushType } from '@apnsd/apns'
import { ByteReader } from '../base/bytes.ts'
import type { CheckedPayload } from '../core/notifications/check.ts'
import { type Headers, hasSameHeaders } from '../core/notifications/headers.ts'
import type { OutcomeDetail, Retry } from '../core/outcome.ts'

/**
 * How the columns of a chunk are written down, for every queue alike. Integers are big-endian, texts have their length
 * before them.
 *
 *     device tokens   (length u8 | bytes)*
 *     payloads        2 u8 | count u16 | payload* | payloadOf u16 for each notification, left out where count is 1
 *     payload         push type u8+text | priority u8 | flags u8
 *                     | topic u8+text, flag 1 | expiration u32, flag 2 | collapse identifier u8+text, flag 4
 *                     | JSON u16+text
 *
 * Format 1 had no flags, and nothing of what they announce.
 */
const PAYLOADS_FORMAT = 2
const HAS_TOPIC = 1
const HAS_EXPIRATION = 2
const HAS_COLLAPSE_ID = 4

export function encodeDeviceTokens(deviceTokens: readonly string[]): Buffer {
  const bytes = Buffer.alloc(
    deviceTokens.reduce((length, deviceToken) => length + 1 + deviceToken.length / 2, 0),
  )
  let offset = 0
  for (const deviceToken of deviceTokens) {
    const written = bytes.write(deviceToken, offset + 1, 'hex')
    bytes.writeUInt8(written, offset)
    offset += 1 + written
  }
  return bytes
}

export function decodeDeviceTokens(bytes: Uint8Array): string[] {
  const reader = new ByteReader(bytes)
  const deviceTokens: string[] = []
  while (!reader.isAtEnd) deviceTokens.push(reader.readBytes(reader.readUInt8()).toString('hex'))
  return deviceTokens
}

export interface PayloadColumns {
  readonly payloads: readonly CheckedPayload[]
  readonly payloadOf: Uint16Array
}

export function encodePayloads({ payloads, payloadOf }: PayloadColumns): Buffer {
  const head = Buffer.alloc(3)
  head.writeUInt8(PAYLOADS_FORMAT, 0)
  head.writeUInt16BE(payloads.length, 1)
  const parts: Uint8Array[] = [head]
  let last: Headers | null = null
  let prefix: Buffer = head
  for (const { bytes, headers } of payloads) {
    if (last === null || !hasSameHeaders(last, headers)) prefix = encodeHeaders(headers)
    last = headers
    const length = Buffer.alloc(2)
    length.writeUInt16BE(bytes.length)
    parts.push(prefix, length, bytes)
  }
  if (payloads.length > 1) {
    const owners = Buffer.alloc(2 * payloadOf.length)
    payloadOf.forEach((payload, index) => owners.writeUInt16BE(payload, 2 * index))
    parts.push(owners)
  }
  return Buffer.concat(parts)
}

function encodeHeaders({
  pushType,
  priority,
  topic,
  expirationEpochS,
  collapseId,
}: Headers): Buffer {
  const flags =
    (topic === undefined ? 0 : HAS_TOPIC) |
    (expirationEpochS === undefined ? 0 : HAS_EXPIRATION) |
    (collapseId === undefined ? 0 : HAS_COLLAPSE_ID)
  const parts = [encodeText(pushType), Buffer.from([priority, flags])]
  if (topic !== undefined) parts.push(encodeText(topic))
  if (expirationEpochS !== undefined) {
    const expiration = Buffer.alloc(4)
    expiration.writeUInt32BE(expirationEpochS)
    parts.push(expiration)
  }
  if (collapseId !== undefined) parts.push(encodeText(collapseId))
  return Buffer.concat(parts)
}

/** @param text of at most 255 bytes */
function encodeText(text: string): Buffer {
  const bytes = Buffer.from(text, 'utf8')
  return Buffer.concat([Buffer.from([bytes.length]), bytes])
}

/**
 * @param count how many notifications the chunk has
 * @throws {RangeError} where the bytes are not what {@link encodePayloads} wrote
 */
export function decodePayloads(bytes: Uint8Array, count: number): PayloadColumns {
  const reader = new ByteReader(bytes)
  const format = reader.readUInt8()
  if (format < 1 || format > PAYLOADS_FORMAT) throw new RangeError(`payloads of format ${format}`)
  const payloads = Array.from({ length: reader.readUInt16() }, () => decodePayload(reader, format))
  const payloadOf = new Uint16Array(count)
  if (payloads.length > 1)
    for (let index = 0; index < count; index += 1) payloadOf[index] = reader.readUInt16()
  return { payloads, payloadOf }
}

function decodePayload(reader: ByteReader, format: number): CheckedPayload {
  const name = reader.readBytes(reader.readUInt8()).toString('latin1')
  if (!Object.hasOwn(PUSH_TYPES, name)) throw new RangeError('a push type that is not known')
  const priority = reader.readUInt8() as Headers['priority']
  const flags = format === 1 ? 0 : reader.readUInt8()
  const headers = {
    pushType: name as PushType,
    priority,
    ...(flags & HAS_TOPIC ? { topic: decodeText(reader) } : {}),
    ...(flags & HAS_EXPIRATION ? { expirationEpochS: reader.readUInt32() } : {}),
    ...(flags & HAS_COLLAPSE_ID ? { collapseId: decodeText(reader) } : {}),
  }
  return { headers, bytes: reader.readBytes(reader.readUInt16()) }
}

const decodeText = (reader: ByteReader): string =>
  reader.readBytes(reader.readUInt8()).toString('utf8')

/** Writes the details as JSON; null where there are none, as with nearly every chunk. */
export function formatDetails(details: ReadonlyMap<number, OutcomeDetail>): string | null {
  return details.size === 0 ? null : JSON.stringify([...details])
}

export function parseDetails(text: string | null): Map<number, OutcomeDetail> {
  return new Map(text === null ? [] : (JSON.parse(text) as [number, OutcomeDetail][]))
}

/** `[attempts, due, reason, [first, count, first, count, …]]`: those that share all that, by runs of their indexes. */
type RetryGroup = [attempts: number, dueAtMs: number, reason: string, runs: number[]]

/** Writes the retries as JSON; null where there are none. Many notifications fail together, so they are grouped. */
export function formatRetries(retries: ReadonlyMap<number, Retry>): string | null {
  if (retries.size === 0) return null
  const groups = new Map<string, RetryGroup>()
  for (const index of [...retries.keys()].sort((one, other) => one - other)) {
    const { attempts, dueAtMs, reason } = retries.get(index)!
    const key = `${attempts} ${dueAtMs} ${reason}`
    let group = groups.get(key)
    if (group === undefined) {
      group = [attempts, dueAtMs, reason, []]
      groups.set(key, group)
    }
    addToRuns(group[3], index)
  }
  return JSON.stringify([...groups.values()])
}

function addToRuns(runs: number[], index: number): void {
  const last = runs.length - 2
  if (last >= 0 && index === runs[last]! + runs[last + 1]!) runs[last + 1]! += 1
  else runs.push(index, 1)
}

export function parseRetries(text: string | null): Map<number, Retry> {
  const retries = new Map<number, Retry>()
  const groups = text === null ? [] : (JSON.parse(text) as RetryGroup[])
  for (const [attempts, dueAtMs, reason, runs] of groups) {
    const retry = { attempts, dueAtMs, reason }
    for (let at = 0; at + 1 < runs.length; at += 2)
      for (let offset = 0; offset < runs[at + 1]!; offset += 1)
        retries.set(runs[at]! + offset, retry)
  }
  return retries
}
