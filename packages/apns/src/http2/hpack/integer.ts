import { COMPRESSION_ERROR, Http2Error } from '../errors.ts'

/** The largest integer we read or write: no index, length or size needs more. */
export const MAX_INTEGER = 2 ** 31 - 1
/** The most bytes that `encodeInteger` writes: its prefix and five continuation octets of seven bits. */
export const MAX_INTEGER_BYTES = 6
/** As many carry 35 bits. Zeros may pad an integer for ever otherwise. [RFC 7541 §5.1] */
const MAX_CONTINUATION_OCTETS = 5

/** A header block on its way through the decoder: `at` is the next octet to read, `end` the first one past the block. */
export interface BlockCursor {
  bytes: Uint8Array
  at: number
  end: number
}

/**
 * Decodes an integer whose first octet has other bits before the prefix, and moves the cursor behind it.
 *
 *       0   1   2   3   4   5   6   7
 *     +---+---+---+---+---+---+---+---+
 *     | ? | ? | ? |     prefix        |   all ones: 2^N - 1, and more follows
 *     +---+---+---+-------------------+
 *     | 1 |  seven bits, lowest first |   the top bit: another octet follows
 *     +---+---------------------------+
 *
 * @param prefixBits 1 to 8
 * @throws {Http2Error} COMPRESSION_ERROR past 2^31-1, past five continuation octets, and when the block ends before it.
 * @see RFC 7541 §5.1
 */
export function decodeInteger(cursor: BlockCursor, prefixBits: number): number {
  if (cursor.at >= cursor.end)
    throw new Http2Error(COMPRESSION_ERROR, 'the header block is cut off')
  const prefixMax = (1 << prefixBits) - 1
  const prefix = cursor.bytes[cursor.at++]! & prefixMax
  return prefix < prefixMax ? prefix : decodeContinuation(cursor, prefix)
}

function decodeContinuation(cursor: BlockCursor, prefix: number): number {
  let value = prefix
  let factor = 1
  for (let octets = 0; octets < MAX_CONTINUATION_OCTETS; octets++) {
    if (cursor.at >= cursor.end)
      throw new Http2Error(COMPRESSION_ERROR, 'the header block is cut off in an integer')
    const octet = cursor.bytes[cursor.at++]!
    // not a shift: the fifth octet reaches past 32 bits
    value += (octet & 0x7f) * factor
    if (value > MAX_INTEGER) break
    if (octet < 0x80) return value
    factor *= 0x80
  }
  throw new Http2Error(COMPRESSION_ERROR, 'an integer in a header block is too large or too long')
}

/**
 * Encodes an integer of 0 to 2^31-1 behind the bits of `pattern`, in at most 6 bytes.
 * @param pattern the first octet's bits before the prefix, in their place
 * @returns the offset behind it
 * @see RFC 7541 §5.1
 */
export function encodeInteger(
  target: Uint8Array,
  at: number,
  pattern: number,
  prefixBits: number,
  value: number,
): number {
  const prefixMax = (1 << prefixBits) - 1
  if (value < prefixMax) {
    target[at] = pattern | value
    return at + 1
  }
  target[at++] = pattern | prefixMax
  let rest = value - prefixMax
  while (rest >= 0x80) {
    target[at++] = 0x80 | (rest & 0x7f)
    rest >>>= 7
  }
  target[at] = rest
  return at + 1
}
