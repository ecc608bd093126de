import type { Setting } from './frame-handler.ts'
import {
  CONTINUATION,
  DATA,
  FLAG_ACK,
  FLAG_END_HEADERS,
  FLAG_END_STREAM,
  FRAME_HEADER_BYTES,
  GOAWAY,
  HEADERS,
  MAX_31_BIT,
  PING,
  PING_BYTES,
  RST_STREAM,
  SETTINGS,
  WINDOW_UPDATE,
} from './frame-types.ts'
import { GOAWAY_FIXED_BYTES } from './frames/goaway-frame.ts'
import { SETTING_BYTES } from './frames/settings-frame.ts'
import { encodeUint24, encodeUint32 } from './uint.ts'
import type { WriteBuffer } from './write-buffer.ts'

/** What a client says before its first frame. [RFC 9113 §3.4] */
const PREFACE = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 'latin1')

const NO_BLOCK = -1

/**
 * Writes a client's frames into a WriteBuffer; the layouts stand in `frames/`. What is written goes out with the
 * buffer's next `take`. Flow control and the states of streams are the caller's.
 *
 * A header block is encoded where it will be sent from:
 *
 *     const start = writer.startHeaders(streamId, maxBlockBytes)
 *     const end = encoder.encode(buffer.bytes, start, …)
 *     writer.endHeaders(end, false)
 *
 * An argument out of its range is the caller's mistake: RangeError.
 */
export class FrameWriter {
  readonly #buffer: WriteBuffer
  readonly #peer: { readonly maxFrameBytes: number }
  #blockStreamId = 0
  /** Where the block that was started begins, from the buffer's `start`. */
  #blockOffset = NO_BLOCK

  /** @param peer its `maxFrameBytes`, which may change, bounds HEADERS, CONTINUATION and DATA. */
  constructor(buffer: WriteBuffer, peer: { readonly maxFrameBytes: number }) {
    this.#buffer = buffer
    this.#peer = peer
  }

  /** Writes what opens a connection: the client's preface and its SETTINGS. [RFC 9113 §3.4] */
  preface(settings: readonly Setting[]): void {
    const buffer = this.#buffer
    buffer.reserve(PREFACE.length)
    buffer.bytes.set(PREFACE, buffer.end)
    buffer.end += PREFACE.length
    this.settings(settings)
  }

  settings(settings: readonly Setting[]): void {
    let offset = this.#startFrame(SETTINGS, 0, 0, settings.length * SETTING_BYTES)
    const { bytes } = this.#buffer
    for (const [identifier, value] of settings) {
      bytes[offset] = identifier >>> 8
      bytes[offset + 1] = identifier
      encodeUint32(bytes, offset + 2, value)
      offset += SETTING_BYTES
    }
  }

  settingsAck(): void {
    this.#startFrame(SETTINGS, FLAG_ACK, 0, 0)
  }

  /** @param opaque eight bytes; with `ack` those of the peer's PING. */
  ping(opaque: Uint8Array, ack: boolean): void {
    if (opaque.length !== PING_BYTES) throw new RangeError(`a PING of ${opaque.length} bytes`)
    const offset = this.#startFrame(PING, ack ? FLAG_ACK : 0, 0, PING_BYTES)
    this.#buffer.bytes.set(opaque, offset)
  }

  /** @param lastStreamId the last stream of the peer's that we may have processed: 0, as we take no pushes. */
  goaway(lastStreamId: number, errorCode: number, debugData: Uint8Array): void {
    const offset = this.#startFrame(GOAWAY, 0, 0, GOAWAY_FIXED_BYTES + debugData.length)
    const { bytes } = this.#buffer
    encodeUint32(bytes, offset, lastStreamId)
    encodeUint32(bytes, offset + 4, errorCode)
    bytes.set(debugData, offset + GOAWAY_FIXED_BYTES)
  }

  rstStream(streamId: number, errorCode: number): void {
    const offset = this.#startFrame(RST_STREAM, 0, streamId, 4)
    encodeUint32(this.#buffer.bytes, offset, errorCode)
  }

  /** @param streamId 0: the connection. @param incrementBytes 1 to 2^31-1. */
  windowUpdate(streamId: number, incrementBytes: number): void {
    if (!(incrementBytes >= 1 && incrementBytes <= MAX_31_BIT))
      throw new RangeError(`a WINDOW_UPDATE by ${incrementBytes} bytes`)
    const offset = this.#startFrame(WINDOW_UPDATE, 0, streamId, 4)
    encodeUint32(this.#buffer.bytes, offset, incrementBytes)
  }

  /** Writes DATA, in as many frames as the peer's MAX_FRAME_SIZE asks for; one, empty, for no bytes. */
  data(
    streamId: number,
    payload: Uint8Array,
    start: number,
    end: number,
    endStream: boolean,
  ): void {
    let offset = start
    do {
      const frameEnd = Math.min(end, offset + this.#peer.maxFrameBytes)
      const flags = endStream && frameEnd === end ? FLAG_END_STREAM : 0
      const target = this.#startFrame(DATA, flags, streamId, frameEnd - offset)
      const isWhole = offset === 0 && frameEnd === payload.length
      this.#buffer.bytes.set(isWhole ? payload : payload.subarray(offset, frameEnd), target)
      offset = frameEnd
    } while (offset < end)
  }

  /**
   * Leaves room for the header of HEADERS and for a block of up to `maxBlockBytes`. Nothing else may be written, nor
   * the buffer taken, before `endHeaders`.
   * @returns where in the buffer's `bytes` the block goes
   */
  startHeaders(streamId: number, maxBlockBytes: number): number {
    this.#checkNoBlock()
    const buffer = this.#buffer
    buffer.reserve(FRAME_HEADER_BYTES + maxBlockBytes)
    this.#blockStreamId = streamId
    this.#blockOffset = buffer.filledBytes + FRAME_HEADER_BYTES
    return buffer.end + FRAME_HEADER_BYTES
  }

  /**
   * Writes the header before the block, now that its length is known, and cuts it into CONTINUATIONs where it is longer
   * than the peer's MAX_FRAME_SIZE.
   * @param blockEnd where in the buffer's `bytes` the block ends.
   */
  endHeaders(blockEnd: number, endStream: boolean): void {
    const buffer = this.#buffer
    const blockStart = buffer.start + this.#blockOffset
    if (this.#blockOffset === NO_BLOCK || blockEnd < blockStart || blockEnd > buffer.bytes.length)
      throw new RangeError('a header block that was not started, or ran out of its room')
    this.#blockOffset = NO_BLOCK
    buffer.end = blockEnd
    const blockBytes = blockEnd - blockStart
    const endStreamFlag = endStream ? FLAG_END_STREAM : 0
    if (blockBytes > this.#peer.maxFrameBytes) {
      this.#splitBlock(blockBytes, endStreamFlag)
      return
    }
    const flags = endStreamFlag | FLAG_END_HEADERS
    this.#putHeader(
      blockStart - FRAME_HEADER_BYTES,
      HEADERS,
      flags,
      this.#blockStreamId,
      blockBytes,
    )
  }

  /** Moves the fragments behind the first apart, the last one first, to make room for their headers. */
  #splitBlock(blockBytes: number, endStreamFlag: number): void {
    const buffer = this.#buffer
    const { maxFrameBytes } = this.#peer
    const continuations = Math.ceil(blockBytes / maxFrameBytes) - 1
    buffer.reserve(continuations * FRAME_HEADER_BYTES)
    const blockStart = buffer.end - blockBytes
    for (let i = continuations; i > 0; i -= 1) {
      const from = blockStart + i * maxFrameBytes
      const bytes = Math.min(maxFrameBytes, blockStart + blockBytes - from)
      const to = from + i * FRAME_HEADER_BYTES
      buffer.bytes.copyWithin(to, from, from + bytes)
      const flags = i === continuations ? FLAG_END_HEADERS : 0
      this.#putHeader(to - FRAME_HEADER_BYTES, CONTINUATION, flags, this.#blockStreamId, bytes)
    }
    const headersAt = blockStart - FRAME_HEADER_BYTES
    this.#putHeader(headersAt, HEADERS, endStreamFlag, this.#blockStreamId, maxFrameBytes)
    buffer.end += continuations * FRAME_HEADER_BYTES
  }

  /** Writes a frame's header and counts its payload as filled. @returns where the payload goes */
  #startFrame(type: number, flags: number, streamId: number, payloadBytes: number): number {
    this.#checkNoBlock()
    const buffer = this.#buffer
    buffer.reserve(FRAME_HEADER_BYTES + payloadBytes)
    const offset = buffer.end
    this.#putHeader(offset, type, flags, streamId, payloadBytes)
    buffer.end = offset + FRAME_HEADER_BYTES + payloadBytes
    return offset + FRAME_HEADER_BYTES
  }

  #putHeader(
    offset: number,
    type: number,
    flags: number,
    streamId: number,
    payloadBytes: number,
  ): void {
    const { bytes } = this.#buffer
    encodeUint24(bytes, offset, payloadBytes)
    bytes[offset + 3] = type
    bytes[offset + 4] = flags
    encodeUint32(bytes, offset + 5, streamId)
  }

  #checkNoBlock(): void {
    if (this.#blockOffset !== NO_BLOCK) throw new RangeError('a header block is not ended yet')
  }
}
