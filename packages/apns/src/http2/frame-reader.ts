import { FRAME_SIZE_ERROR, Http2Error, PROTOCOL_ERROR } from './errors.ts'
import type { FrameHandler } from './frame-handler.ts'
import {
  CONTINUATION,
  DATA,
  FLAG_ACK,
  FRAME_HEADER_BYTES,
  formatFrameType,
  GOAWAY,
  HEADERS,
  MIN_MAX_FRAME_BYTES,
  PING,
  PRIORITY,
  PUSH_PROMISE,
  RST_STREAM,
  SETTINGS,
  WINDOW_UPDATE,
} from './frame-types.ts'
import { decodeContinuationFrame } from './frames/continuation-frame.ts'
import { decodeDataFrame } from './frames/data-frame.ts'
import { decodeGoawayFrame } from './frames/goaway-frame.ts'
import { decodeHeadersFrame } from './frames/headers-frame.ts'
import { decodePingFrame } from './frames/ping-frame.ts'
import { decodePriorityFrame } from './frames/priority-frame.ts'
import { decodeRstStreamFrame } from './frames/rst-stream-frame.ts'
import { decodeSettingsFrame, isMaxFrameBytes } from './frames/settings-frame.ts'
import { decodeWindowUpdateFrame } from './frames/window-update-frame.ts'
import { HeaderBlock, type HeaderBlockLimits } from './header-block.ts'
import { decodeUint24, decodeUint31 } from './uint.ts'

export interface FrameReaderLimits extends HeaderBlockLimits {
  /** What we announced as SETTINGS_MAX_FRAME_SIZE: 2^14 to 2^24-1, of the payload alone. */
  readonly maxFrameBytes: number
}

/** Enough for Apple many times over: its answers are a block of some 60 bytes and a body of some 40. */
export const DEFAULT_FRAME_READER_LIMITS: FrameReaderLimits = {
  maxFrameBytes: MIN_MAX_FRAME_BYTES,
  maxHeaderBlockBytes: 32 * 1024,
  maxContinuations: 8,
}

/** `HTT` and `P`, where the length and the type of a frame would be. */
const HTTP1_LENGTH = 0x485454
const HTTP1_TYPE = 0x50

const NO_BYTES = Buffer.alloc(0)

/**
 * Reads the frames that a server sends and holds them to RFC 9113 §3.4 and §4 to §6, as far as that takes no memory of
 * streams.
 *
 *     preface ──SETTINGS──► open ──an error, or stop()──► stopped
 *
 * A frame that lies whole in a chunk is handed on where it lies. What a chunk ends with is copied into a buffer of one
 * frame, allocated when it is first needed and kept.
 *
 * Holds up to 9 + `maxFrameBytes`, and while a header block is open `maxHeaderBlockBytes` besides.
 */
export class FrameReader {
  readonly #handler: FrameHandler
  readonly #maxFrameBytes: number
  readonly #block: HeaderBlock
  #state: 'preface' | 'open' | 'stopped' = 'preface'
  /** The start of a frame that is not whole yet. */
  #pending: Buffer = NO_BYTES
  #pendingBytes = 0

  constructor(
    handler: FrameHandler,
    { maxFrameBytes, ...blockLimits }: FrameReaderLimits = DEFAULT_FRAME_READER_LIMITS,
  ) {
    if (!isMaxFrameBytes(maxFrameBytes))
      throw new RangeError(`maxFrameBytes must be 2^14 to 2^24-1, not ${maxFrameBytes}`)
    this.#handler = handler
    this.#maxFrameBytes = maxFrameBytes
    this.#block = new HeaderBlock(handler, blockLimits)
  }

  /** What is held back of a frame or a header block that is not whole yet. */
  get heldBytes(): number {
    return this.#pendingBytes + this.#block.heldBytes
  }

  /**
   * Takes the next bytes from the peer, cut anywhere, and calls the handler for each frame that they complete. Not to
   * be called from within the handler.
   * @param chunk the caller's again afterwards.
   * @throws {Http2Error} what the peer did wrong, for the connection; all frames before it have been handed on, and
   *   nothing after it will be: the reader has stopped. What is wrong with one stream goes to `streamError` instead.
   */
  read(chunk: Uint8Array): void {
    if (this.#state === 'stopped') return
    try {
      const offset = this.#pendingBytes === 0 ? 0 : this.#readPending(chunk)
      const rest = this.#readFrames(chunk, offset, chunk.length)
      this.#keep(chunk, rest)
    } catch (error) {
      this.stop()
      throw error
    }
  }

  /** Reads nothing more, not even the rest of the chunk in hand: the handler may call it. */
  stop(): void {
    this.#state = 'stopped'
    this.#pending = NO_BYTES
    this.#pendingBytes = 0
    this.#block.drop()
  }

  /** Reads the frame that has begun, if `chunk` completes it. @returns how much of `chunk` it took */
  #readPending(chunk: Uint8Array): number {
    const payloadAt = this.#fillPending(chunk, 0, FRAME_HEADER_BYTES)
    if (this.#pendingBytes < FRAME_HEADER_BYTES) return payloadAt
    const frameBytes = this.#frameEnd(this.#pending, 0)
    const taken = this.#fillPending(chunk, payloadAt, frameBytes)
    if (this.#pendingBytes < frameBytes) return taken
    this.#pendingBytes = 0
    this.#readFrame(this.#pending, 0, frameBytes)
    return taken
  }

  /** Copies from `chunk` until `wantedBytes` are pending, or all of it. @returns where it left off in `chunk` */
  #fillPending(chunk: Uint8Array, offset: number, wantedBytes: number): number {
    const missing = Math.max(0, wantedBytes - this.#pendingBytes)
    const end = Math.min(chunk.length, offset + missing)
    this.#pending.set(chunk.subarray(offset, end), this.#pendingBytes)
    this.#pendingBytes += end - offset
    return end
  }

  /** Keeps what a chunk ends with: less than a frame whose header, if it is there, has been checked. */
  #keep(chunk: Uint8Array, rest: number): void {
    if (rest === chunk.length || this.#state === 'stopped') return
    if (this.#pending.length === 0)
      this.#pending = Buffer.allocUnsafeSlow(FRAME_HEADER_BYTES + this.#maxFrameBytes)
    this.#fillPending(chunk, rest, this.#pending.length)
  }

  /** Reads the frames that lie whole between `offset` and `end`. @returns where the first that does not starts */
  #readFrames(bytes: Uint8Array, offset: number, end: number): number {
    let frameStart = offset
    while (end - frameStart >= FRAME_HEADER_BYTES && this.#state !== 'stopped') {
      const frameEnd = this.#frameEnd(bytes, frameStart)
      if (frameEnd > end) break
      this.#readFrame(bytes, frameStart, frameEnd)
      frameStart = frameEnd
    }
    return frameStart
  }

  /** Checks what a frame header alone shows. Runs again when the payload has come. @returns where the payload ends */
  #frameEnd(bytes: Uint8Array, frameStart: number): number {
    const payloadBytes = decodeUint24(bytes, frameStart)
    const type = bytes[frameStart + 3]!
    if (this.#state === 'preface') this.#checkPreface(payloadBytes, type, bytes[frameStart + 4]!)
    if (payloadBytes > this.#maxFrameBytes)
      // for the connection, DATA too: its window would be spent all the same, and the payload would have to be skipped
      throw new Http2Error(
        FRAME_SIZE_ERROR,
        `${formatFrameType(type)} of ${payloadBytes} bytes, past ${this.#maxFrameBytes}`,
      )
    if (this.#block.openStreamId !== 0 && type !== CONTINUATION)
      throw new Http2Error(
        PROTOCOL_ERROR,
        `${formatFrameType(type)} within the header block of stream ${this.#block.openStreamId}`,
      )
    return frameStart + FRAME_HEADER_BYTES + payloadBytes
  }

  /** Checks that the first frame is the server's preface. [RFC 9113 §3.4] */
  #checkPreface(payloadBytes: number, type: number, flags: number): void {
    if (type === HTTP1_TYPE && payloadBytes === HTTP1_LENGTH)
      throw new Http2Error(PROTOCOL_ERROR, 'the peer speaks HTTP/1')
    if (type !== SETTINGS || (flags & FLAG_ACK) !== 0)
      throw new Http2Error(
        PROTOCOL_ERROR,
        `the first frame is ${formatFrameType(type)}, not the server’s SETTINGS`,
      )
    this.#state = 'open'
  }

  #readFrame(bytes: Uint8Array, frameStart: number, end: number): void {
    const type = bytes[frameStart + 3]!
    const flags = bytes[frameStart + 4]!
    const streamId = decodeUint31(bytes, frameStart + 5)
    const start = frameStart + FRAME_HEADER_BYTES
    switch (type) {
      case DATA:
        return decodeDataFrame(this.#handler, bytes, start, end, flags, streamId)
      case HEADERS:
        return decodeHeadersFrame(this.#block, bytes, start, end, flags, streamId)
      case PRIORITY:
        return decodePriorityFrame(this.#handler, start, end, streamId)
      case RST_STREAM:
        return decodeRstStreamFrame(this.#handler, bytes, start, end, streamId)
      case SETTINGS:
        return decodeSettingsFrame(this.#handler, bytes, start, end, flags, streamId)
      case PUSH_PROMISE:
        // our SETTINGS come before any request that a push could belong to, and say ENABLE_PUSH 0 [RFC 9113 §6.6]
        throw new Http2Error(PROTOCOL_ERROR, 'PUSH_PROMISE, which our SETTINGS rule out')
      case PING:
        return decodePingFrame(this.#handler, bytes, start, end, flags, streamId)
      case GOAWAY:
        return decodeGoawayFrame(this.#handler, bytes, start, end, streamId)
      case WINDOW_UPDATE:
        return decodeWindowUpdateFrame(this.#handler, bytes, start, end, streamId)
      case CONTINUATION:
        return decodeContinuationFrame(this.#block, bytes, start, end, flags, streamId)
      default:
      // unknown: to be ignored, whatever stream it names [RFC 9113 §5.5]
    }
  }
}
