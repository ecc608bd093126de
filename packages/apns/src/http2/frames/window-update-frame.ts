import { FRAME_SIZE_ERROR, Http2Error, PROTOCOL_ERROR } from '../errors.ts'
import type { FrameHandler } from '../frame-handler.ts'
import { decodeUint31 } from '../uint.ts'
import { checkStreamScope } from './stream-scope.ts'

const PAYLOAD_BYTES = 4

/**
 * Decodes the payload of a WINDOW_UPDATE frame, `bytes` from `start` to `end`.
 *
 *     +-+-------------------------------------------------------------+
 *     |R| Window Size Increment (31)                                  |
 *     +-+-------------------------------------------------------------+
 *
 * @throws {Http2Error} for the connection: FRAME_SIZE_ERROR; PROTOCOL_ERROR where the stream is none of ours, or for an
 *   increment of 0 on stream 0. On another stream that is the stream's alone: it goes to `streamError`.
 * @see RFC 9113 §6.9
 */
export function decodeWindowUpdateFrame(
  handler: FrameHandler,
  bytes: Uint8Array,
  start: number,
  end: number,
  streamId: number,
): void {
  if (end - start !== PAYLOAD_BYTES)
    throw new Http2Error(FRAME_SIZE_ERROR, `WINDOW_UPDATE of ${end - start} bytes`)
  if (streamId !== 0) checkStreamScope('WINDOW_UPDATE', streamId)
  const incrementBytes = decodeUint31(bytes, start)
  if (incrementBytes !== 0) {
    handler.windowUpdate(streamId, incrementBytes)
    return
  }
  const error = new Http2Error(PROTOCOL_ERROR, 'WINDOW_UPDATE by 0 bytes', streamId)
  if (streamId === 0) throw error
  handler.streamError(error)
}
