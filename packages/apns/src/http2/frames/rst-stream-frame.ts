import { FRAME_SIZE_ERROR, Http2Error } from '../errors.ts'
import type { FrameHandler } from '../frame-handler.ts'
import { decodeUint32 } from '../uint.ts'
import { checkStreamScope } from './stream-scope.ts'

const PAYLOAD_BYTES = 4

/**
 * Decodes the payload of a RST_STREAM frame, `bytes` from `start` to `end`.
 *
 *     +---------------------------------------------------------------+
 *     | Error Code (32)                                               |
 *     +---------------------------------------------------------------+
 *
 * @throws {Http2Error} for the connection: PROTOCOL_ERROR where the stream is none of ours, FRAME_SIZE_ERROR.
 * @see RFC 9113 §6.4
 */
export function decodeRstStreamFrame(
  handler: FrameHandler,
  bytes: Uint8Array,
  start: number,
  end: number,
  streamId: number,
): void {
  checkStreamScope('RST_STREAM', streamId)
  if (end - start !== PAYLOAD_BYTES)
    throw new Http2Error(FRAME_SIZE_ERROR, `RST_STREAM of ${end - start} bytes`)
  handler.rstStream(streamId, decodeUint32(bytes, start))
}
