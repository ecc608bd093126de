import { FRAME_SIZE_ERROR, Http2Error, PROTOCOL_ERROR } from '../errors.ts'
import { FLAG_END_HEADERS, FLAG_END_STREAM, FLAG_PADDED, FLAG_PRIORITY } from '../frame-types.ts'
import type { HeaderBlock } from '../header-block.ts'
import { checkStreamScope } from './stream-scope.ts'

const PAD_LENGTH_BYTES = 1
const PRIORITY_BYTES = 5

/**
 * Decodes the payload of a HEADERS frame, `bytes` from `start` to `end`, into the header block that it opens. The
 * priority is dropped unread: RFC 9113 keeps its place but not its meaning.
 *
 *     +---------------+
 *     | Pad Length (8)|  if PADDED
 *     +-+-------------+-----------------------------------------------+
 *     |E| Stream Dependency (31)                                      |  if PRIORITY
 *     +-+-------------+-----------------------------------------------+
 *     | Weight (8)    |  if PRIORITY
 *     +---------------+-----------------------------------------------+
 *     | Field Block Fragment …
 *     +---------------------------------------------------------------+
 *     | Padding (Pad Length) …
 *
 * @throws {Http2Error} for the connection: PROTOCOL_ERROR where the padding leaves no room for what comes before it, or
 *   the stream is none of ours; FRAME_SIZE_ERROR where the fields before the block do not fit.
 * @see RFC 9113 §6.2
 */
export function decodeHeadersFrame(
  block: HeaderBlock,
  bytes: Uint8Array,
  start: number,
  end: number,
  flags: number,
  streamId: number,
): void {
  checkStreamScope('HEADERS', streamId)
  let blockStart = start
  let blockEnd = end
  if ((flags & (FLAG_PADDED | FLAG_PRIORITY)) !== 0) {
    const isPadded = (flags & FLAG_PADDED) !== 0
    if (isPadded) blockStart += PAD_LENGTH_BYTES
    if ((flags & FLAG_PRIORITY) !== 0) blockStart += PRIORITY_BYTES
    if (blockStart > end)
      throw new Http2Error(FRAME_SIZE_ERROR, 'HEADERS too short for its padding or priority')
    if (isPadded) blockEnd -= bytes[start]!
    if (blockEnd < blockStart)
      throw new Http2Error(PROTOCOL_ERROR, 'HEADERS with padding longer than the rest of the frame')
  }
  const endStream = (flags & FLAG_END_STREAM) !== 0
  const endHeaders = (flags & FLAG_END_HEADERS) !== 0
  block.open(streamId, bytes, blockStart, blockEnd, endStream, endHeaders)
}
