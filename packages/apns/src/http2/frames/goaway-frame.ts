import { FRAME_SIZE_ERROR, Http2Error } from '../errors.ts'
import type { FrameHandler } from '../frame-handler.ts'
import { decodeUint31, decodeUint32 } from '../uint.ts'
import { checkConnectionScope } from './stream-scope.ts'

/** What comes before the debug data. */
export const GOAWAY_FIXED_BYTES = 8

/**
 * Decodes the payload of a GOAWAY frame, `bytes` from `start` to `end`.
 *
 *     +-+-------------------------------------------------------------+
 *     |R| Last-Stream-ID (31)                                         |
 *     +-+-------------------------------------------------------------+
 *     | Error Code (32)                                               |
 *     +---------------------------------------------------------------+
 *     | Additional Debug Data …
 *
 * A second one may come, and may only lower the number; that is for the handler to see.
 *
 * @throws {Http2Error} for the connection: PROTOCOL_ERROR on a stream, FRAME_SIZE_ERROR.
 * @see RFC 9113 §6.8
 */
export function decodeGoawayFrame(
  handler: FrameHandler,
  bytes: Uint8Array,
  start: number,
  end: number,
  streamId: number,
): void {
  checkConnectionScope('GOAWAY', streamId)
  if (end - start < GOAWAY_FIXED_BYTES)
    throw new Http2Error(FRAME_SIZE_ERROR, `GOAWAY of ${end - start} bytes`)
  const debugData = new Uint8Array(bytes.subarray(start + GOAWAY_FIXED_BYTES, end))
  handler.goaway(decodeUint31(bytes, start), decodeUint32(bytes, start + 4), debugData)
}
