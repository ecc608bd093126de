import { FRAME_SIZE_ERROR, Http2Error, PROTOCOL_ERROR } from '../errors.ts'
import type { FrameHandler } from '../frame-handler.ts'
import { FLAG_END_STREAM, FLAG_PADDED } from '../frame-types.ts'
import { checkStreamScope } from './stream-scope.ts'

/**
 * Decodes the payload of a DATA frame, `bytes` from `start` to `end`.
 *
 *     +---------------+
 *     | Pad Length (8)|  if PADDED
 *     +---------------+-----------------------------------------------+
 *     | Data …
 *     +---------------------------------------------------------------+
 *     | Padding (Pad Length) …
 *
 * @throws {Http2Error} for the connection: PROTOCOL_ERROR where the padding is as long as the payload, or the stream is
 *   none of ours; FRAME_SIZE_ERROR where the padding's length is missing.
 * @see RFC 9113 §6.1
 */
export function decodeDataFrame(
  handler: FrameHandler,
  bytes: Uint8Array,
  start: number,
  end: number,
  flags: number,
  streamId: number,
): void {
  checkStreamScope('DATA', streamId)
  let dataStart = start
  let dataEnd = end
  if ((flags & FLAG_PADDED) !== 0) {
    if (start === end)
      throw new Http2Error(FRAME_SIZE_ERROR, 'DATA without the length of its padding')
    dataStart += 1
    dataEnd -= bytes[start]!
    if (dataEnd < dataStart)
      throw new Http2Error(PROTOCOL_ERROR, 'DATA with padding as long as the frame')
  }
  const endStream = (flags & FLAG_END_STREAM) !== 0
  handler.data(streamId, bytes, dataStart, dataEnd, endStream, end - start)
}
