import type { Http2Error } from './errors.ts'

/** One entry of a SETTINGS frame: an identifier (16 bits) and its value (32 bits). [RFC 9113 §6.5.1] */
export type Setting = readonly [identifier: number, value: number]

/**
 * Takes what a FrameReader reads, frame by frame, in the order of the wire.
 *
 * `bytes` is a view of the reader's input or of its buffer: it is valid during the call, and whoever keeps some of it
 * copies. Every `streamId` here is odd, 1 to 2^31-1, unless 0 is named; whether such a stream was ever opened is for the
 * handler to know. What a handler throws comes out of `read`, and ends the reader.
 */
export interface FrameHandler {
  /**
   * @param flowControlledBytes what the frame takes from the windows of stream and connection: padding counts, and it
   *   counts on streams that are closed as well. [RFC 9113 §6.9]
   */
  data(
    streamId: number,
    bytes: Uint8Array,
    start: number,
    end: number,
    endStream: boolean,
    flowControlledBytes: number,
  ): void
  /** A whole header block, its CONTINUATIONs joined: to be decoded even for a closed stream. [RFC 9113 §4.3] */
  headers(streamId: number, bytes: Uint8Array, start: number, end: number, endStream: boolean): void
  /** @param errorCode 32 bits; may be none of the RFC's. */
  rstStream(streamId: number, errorCode: number): void
  /** Values that the RFC bounds are within bounds; identifiers may be unknown, or come twice. */
  settings(settings: readonly Setting[]): void
  settingsAck(): void
  /** @param opaque eight bytes, the handler's to keep. */
  ping(opaque: Uint8Array, ack: boolean): void
  /**
   * @param lastStreamId 0 to 2^31-1: no stream of ours above it was or will be processed.
   * @param debugData the handler's to keep.
   */
  goaway(lastStreamId: number, errorCode: number, debugData: Uint8Array): void
  /** @param streamId 0: the connection. @param incrementBytes 1 to 2^31-1. */
  windowUpdate(streamId: number, incrementBytes: number): void
  /** A frame that breaks the rules of one stream: `error.streamId` names it, the others go on. [RFC 9113 §5.4.2] */
  streamError(error: Http2Error): void
}
