import { ENHANCE_YOUR_CALM, Http2Error } from './errors.ts'
import type { FrameHandler } from './frame-handler.ts'

export interface HeaderBlockLimits {
  /** The most bytes of a compressed header block, however many frames carry it. */
  readonly maxHeaderBlockBytes: number
  /**
   * The most CONTINUATIONs of one block. Empty ones cost their sender nine bytes and no limit of the RFC holds them
   * back: a peer that never sets END_HEADERS keeps its victim busy for ever. [CVE-2024-27316 and its like]
   */
  readonly maxContinuations: number
}

/**
 * Joins the fragments of a header block, which must follow one another with nothing in between.
 *
 *     closed ──HEADERS with END_HEADERS──► closed              the usual case; nothing is copied
 *     closed ──HEADERS without──► open ──CONTINUATION──► open ──the one with END_HEADERS──► closed
 *
 * Holds up to `maxHeaderBlockBytes`, while open only.
 *
 * @see RFC 9113 §4.3, §10.5.1
 */
export class HeaderBlock {
  /** The stream whose block is open; 0: none. */
  openStreamId = 0
  readonly #handler: FrameHandler
  readonly #limits: HeaderBlockLimits
  #endStream = false
  #fragments: Uint8Array[] = []
  #heldBytes = 0

  constructor(handler: FrameHandler, limits: HeaderBlockLimits) {
    this.#handler = handler
    this.#limits = limits
  }

  /** What is held of a block that is not whole yet. */
  get heldBytes(): number {
    return this.#heldBytes
  }

  /**
   * Takes the fragment of a HEADERS frame.
   * @throws {Http2Error} ENHANCE_YOUR_CALM, for the connection, past `maxHeaderBlockBytes`.
   */
  open(
    streamId: number,
    bytes: Uint8Array,
    start: number,
    end: number,
    endStream: boolean,
    endHeaders: boolean,
  ): void {
    this.#checkBytes(end - start)
    if (endHeaders) {
      this.#handler.headers(streamId, bytes, start, end, endStream)
      return
    }
    this.openStreamId = streamId
    this.#endStream = endStream
    this.#hold(bytes, start, end)
  }

  /**
   * Takes the fragment of a CONTINUATION frame of the stream that is open.
   * @throws {Http2Error} ENHANCE_YOUR_CALM, for the connection, past either limit.
   */
  continue(bytes: Uint8Array, start: number, end: number, endHeaders: boolean): void {
    this.#checkBytes(end - start)
    // the fragment of HEADERS is held as well, so that there are as many as CONTINUATIONs with this one
    if (this.#fragments.length > this.#limits.maxContinuations)
      throw new Http2Error(
        ENHANCE_YOUR_CALM,
        `more than ${this.#limits.maxContinuations} CONTINUATIONs`,
      )
    this.#hold(bytes, start, end)
    if (endHeaders) this.#close()
  }

  #checkBytes(fragmentBytes: number): void {
    if (this.#heldBytes + fragmentBytes > this.#limits.maxHeaderBlockBytes)
      throw new Http2Error(
        ENHANCE_YOUR_CALM,
        `a header block of more than ${this.#limits.maxHeaderBlockBytes} bytes`,
      )
  }

  #hold(bytes: Uint8Array, start: number, end: number): void {
    // a copy: the reader's bytes are valid during the call only
    this.#fragments.push(new Uint8Array(bytes.subarray(start, end)))
    this.#heldBytes += end - start
  }

  #close(): void {
    const block = Buffer.concat(this.#fragments)
    const streamId = this.openStreamId
    this.drop()
    this.#handler.headers(streamId, block, 0, block.length, this.#endStream)
  }

  /** Forgets the block that is open, if one is. */
  drop(): void {
    this.openStreamId = 0
    this.#fragments = []
    this.#heldBytes = 0
  }
}
