/**
 * Unsigned integers as HTTP/2 writes them, most significant byte first. The caller has checked the length: reading
 * past the end gives nonsense, not an error.
 */

/** Decodes four bytes. */
export function decodeUint32(bytes: Uint8Array, offset: number): number {
  return decodeInt32(bytes, offset) >>> 0
}

/** Decodes four bytes without their first bit, which HTTP/2 reserves and a receiver ignores. [RFC 9113 §4.1] */
export function decodeUint31(bytes: Uint8Array, offset: number): number {
  return decodeInt32(bytes, offset) & 0x7fffffff
}

function decodeInt32(bytes: Uint8Array, offset: number): number {
  return (
    (bytes[offset]! << 24) |
    (bytes[offset + 1]! << 16) |
    (bytes[offset + 2]! << 8) |
    bytes[offset + 3]!
  )
}

/** Decodes three bytes. */
export function decodeUint24(bytes: Uint8Array, offset: number): number {
  return (bytes[offset]! << 16) | (bytes[offset + 1]! << 8) | bytes[offset + 2]!
}

/** Encodes the lower 32 bits of `value` in four bytes. */
export function encodeUint32(bytes: Uint8Array, offset: number, value: number): void {
  bytes[offset] = value >>> 24
  bytes[offset + 1] = value >>> 16
  bytes[offset + 2] = value >>> 8
  bytes[offset + 3] = value
}

/** Encodes the lower 24 bits of `value` in three bytes. */
export function encodeUint24(bytes: Uint8Array, offset: number, value: number): void {
  bytes[offset] = value >>> 16
  bytes[offset + 1] = value >>> 8
  bytes[offset + 2] = value
}
