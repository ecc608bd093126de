import { FRAME_SIZE_ERROR, Http2Error, PROTOCOL_ERROR } from '../errors.ts'
import type { FrameHandler } from '../frame-handler.ts'

const PAYLOAD_BYTES = 5

/**
 * Checks a PRIORITY frame; what it says is deprecated and goes unread. It may name any stream, open or not.
 *
 *     +-+-------------------------------------------------------------+
 *     |E| Stream Dependency (31)                                      |
 *     +-+-------------+-----------------------------------------------+
 *     | Weight (8)    |
 *
 * @throws {Http2Error} PROTOCOL_ERROR on stream 0, for the connection. A wrong length is FRAME_SIZE_ERROR, and the
 *   stream's alone: it goes to `streamError`.
 * @see RFC 9113 §6.3
 */
export function decodePriorityFrame(
  handler: FrameHandler,
  start: number,
  end: number,
  streamId: number,
): void {
  if (streamId === 0) throw new Http2Error(PROTOCOL_ERROR, 'PRIORITY on stream 0')
  if (end - start !== PAYLOAD_BYTES)
    handler.streamError(
      new Http2Error(FRAME_SIZE_ERROR, `PRIORITY of ${end - start} bytes`, streamId),
    )
}
