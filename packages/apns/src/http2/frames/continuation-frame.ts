import { Http2Error, PROTOCOL_ERROR } from '../errors.ts'
import { FLAG_END_HEADERS } from '../frame-types.ts'
import type { HeaderBlock } from '../header-block.ts'

/**
 * Decodes the payload of a CONTINUATION frame, `bytes` from `start` to `end`, onto the header block that is open.
 *
 *     +---------------------------------------------------------------+
 *     | Field Block Fragment …
 *
 * @throws {Http2Error} for the connection: PROTOCOL_ERROR where no header block is open on this stream;
 *   ENHANCE_YOUR_CALM past the bounds of a block.
 * @see RFC 9113 §6.10
 */
export function decodeContinuationFrame(
  block: HeaderBlock,
  bytes: Uint8Array,
  start: number,
  end: number,
  flags: number,
  streamId: number,
): void {
  if (streamId === 0) throw new Http2Error(PROTOCOL_ERROR, 'CONTINUATION on stream 0')
  if (streamId !== block.openStreamId)
    throw new Http2Error(
      PROTOCOL_ERROR,
      `CONTINUATION on stream ${streamId}, where no header block is open`,
    )
  block.continue(bytes, start, end, (flags & FLAG_END_HEADERS) !== 0)
}
