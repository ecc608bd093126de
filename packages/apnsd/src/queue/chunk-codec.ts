import { PUSH_TYPES, type PushType } from '@apnsd/apns'
import { ByteReader } from '../base/bytes.ts'
import type { CheckedPayload } from '../core/notifications/check.ts'
import type { OutcomeDetail } from '../core/outcome.ts'

/**
 * How the columns of a chunk are written down, for every queue alike. Integers are big-endian.
 *
 *     device tokens   (length u8 | bytes)*
 *     payloads        1 u8 | count u16 | (type length u8 | push type | priority u8 | length u16 | JSON)*
 *                     | payloadOf u16 for each notification, left out where count is 1
 */
const PAYLOADS_FORMAT = 1

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
  for (const { bytes, headers } of payloads) {
    const { pushType, priority } = headers
    const prefix = Buffer.alloc(1 + pushType.length + 1 + 2)
    prefix.writeUInt8(pushType.length, 0)
    prefix.write(pushType, 1, 'latin1')
    prefix.writeUInt8(priority, 1 + pushType.length)
    prefix.writeUInt16BE(bytes.length, 2 + pushType.length)
    parts.push(prefix, bytes)
  }
  if (payloads.length > 1) {
    const owners = Buffer.alloc(2 * payloadOf.length)
    payloadOf.forEach((payload, index) => owners.writeUInt16BE(payload, 2 * index))
    parts.push(owners)
  }
  return Buffer.concat(parts)
}

/**
 * @param count how many notifications the chunk has
 * @throws {RangeError} where the bytes are not what {@link encodePayloads} wrote
 */
export function decodePayloads(bytes: Uint8Array, count: number): PayloadColumns {
  const reader = new ByteReader(bytes)
  const format = reader.readUInt8()
  if (format !== PAYLOADS_FORMAT) throw new RangeError(`payloads of format ${format}`)
  const payloads = Array.from({ length: reader.readUInt16() }, () => decodePayload(reader))
  const payloadOf = new Uint16Array(count)
  if (payloads.length > 1)
    for (let index = 0; index < count; index += 1) payloadOf[index] = reader.readUInt16()
  return { payloads, payloadOf }
}

function decodePayload(reader: ByteReader): CheckedPayload {
  const name = reader.readBytes(reader.readUInt8()).toString('latin1')
  if (!Object.hasOwn(PUSH_TYPES, name)) throw new RangeError('a push type that is not known')
  const priority = reader.readUInt8() === 5 ? 5 : 10
  return {
    headers: { pushType: name as PushType, priority },
    bytes: reader.readBytes(reader.readUInt16()),
  }
}

/** Writes the details as JSON; null where there are none, as with nearly every chunk. */
export function formatDetails(details: ReadonlyMap<number, OutcomeDetail>): string | null {
  return details.size === 0 ? null : JSON.stringify([...details])
}

export function parseDetails(text: string | null): Map<number, OutcomeDetail> {
  return new Map(text === null ? [] : (JSON.parse(text) as [number, OutcomeDetail][]))
}
