import { FRAME_SIZE_ERROR, Http2Error } from '../errors.ts'
import type { FrameHandler } from '../frame-handler.ts'
import { FLAG_ACK, PING_BYTES } from '../frame-types.ts'
import { checkConnectionScope } from './stream-scope.ts'

/**
 * Decodes the payload of a PING frame, `bytes` from `start` to `end`.
 *
 *     +---------------------------------------------------------------+
 *     | Opaque Data (64)                                              |
 *     |                                                               |
 *     +---------------------------------------------------------------+
 *
 * @throws {Http2Error} for the connection: PROTOCOL_ERROR on a stream, FRAME_SIZE_ERROR.
 * @see RFC 9113 §6.7
 */
export function decodePingFrame(
  handler: FrameHandler,
  bytes: Uint8Array,
  start: number,
  end: number,
  flags: number,
  streamId: number,
): void {
  checkConnectionScope('PING', streamId)
  if (end - start !== PING_BYTES)
    throw new Http2Error(FRAME_SIZE_ERROR, `PING of ${end - start} bytes`)
  handler.ping(new Uint8Array(bytes.subarray(start, end)), (flags & FLAG_ACK) !== 0)
}
