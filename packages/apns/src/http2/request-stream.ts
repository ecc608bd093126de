import type { AnswerFields } from './answer-fields.ts'
import { Http2Error, PROTOCOL_ERROR } from './errors.ts'
import { FlowWindow, ReceiveWindow } from './flow-window.ts'
import { INITIAL_WINDOW_BYTES } from './frame-types.ts'

/** An answer as it came off the wire. */
export interface StreamAnswer {
  readonly status: number
  /** By name in lower case. */
  readonly fields: Readonly<Record<string, string | undefined>>
  /** The body as text; what goes past 16 KiB is cut off. */
  readonly body: string
}

/** What can come of one request: exactly one of these, once. */
export type StreamEnd =
  | { readonly type: 'answer'; readonly answer: StreamAnswer }
  /** The peer provably did not process it. */
  | { readonly type: 'notProcessed'; readonly cause: string }
  /** It was sent, and no answer came. */
  | { readonly type: 'inDoubt'; readonly cause: string }

/** An answer's body is a short JSON object; more than this is not Apple, and is cut off. */
const MAX_BODY_BYTES = 16 * 1024
const NO_PAYLOAD = new Uint8Array(0)

/**
 * One request's stream, from its HEADERS to its one end.
 *
 *     open ──payload sent──▶ half-closed (local) ──answer with END_STREAM──▶ closed
 *       └────────────── RST_STREAM, GOAWAY, connection lost ──────────────────▲
 */
export class RequestStream {
  readonly id: number
  readonly onEnd: (end: StreamEnd) => void
  /** What is left of the payload while it waits for a window. */
  payload: Uint8Array = NO_PAYLOAD
  sentBytes = 0
  /** Counted only while payload waits: before, all of it fits; afterwards nobody asks. */
  window: FlowWindow | null = null
  #receiveWindow: ReceiveWindow | null = null
  #answer: AnswerFields | null = null
  #body: Buffer[] = []
  #bodyBytes = 0

  constructor(id: number, onEnd: (end: StreamEnd) => void) {
    this.id = id
    this.onEnd = onEnd
  }

  /** The answer so far; its status is 0 where no final header block came. */
  get answer(): StreamAnswer {
    const { status = 0, fields = {} } = this.#answer ?? {}
    const body = this.#bodyBytes === 0 ? '' : Buffer.concat(this.#body).toString('utf8')
    return { status, fields, body }
  }

  /** Keeps payload until there is a window for it. */
  hold(payload: Uint8Array, windowBytes: number): void {
    this.payload = payload
    this.window = new FlowWindow(this.id, windowBytes)
  }

  /**
   * Takes a header block of the answer: the final one, an interim one (1xx), or trailers. [RFC 9113 §8.1]
   * @throws {Http2Error} PROTOCOL_ERROR, for the stream
   */
  takeFields(block: AnswerFields, endStream: boolean): void {
    block.check(this.id)
    if (this.#answer !== null) {
      if (block.status !== 0 || !endStream) throw this.#malformed('fields behind the answer’s own')
      return
    }
    if (block.status === 0) throw this.#malformed('an answer without :status')
    if (block.status >= 200) this.#answer = block
    else if (endStream) throw this.#malformed('an interim answer that ends the stream')
  }

  /**
   * Takes a piece of the answer's body.
   * @returns by how much WINDOW_UPDATE is to widen the stream's window; 0: not yet
   * @throws {Http2Error} PROTOCOL_ERROR or FLOW_CONTROL_ERROR, for the stream
   */
  takeData(bytes: Uint8Array, start: number, end: number, flowControlledBytes: number): number {
    if (this.#answer === null) throw this.#malformed('DATA before the answer’s fields')
    const room = MAX_BODY_BYTES - this.#bodyBytes
    if (room > 0 && end > start) {
      // a copy: the reader's bytes are valid during the call only
      const piece = Buffer.from(bytes.subarray(start, Math.min(end, start + room)))
      this.#body.push(piece)
      this.#bodyBytes += piece.length
    }
    this.#receiveWindow ??= new ReceiveWindow(this.id, INITIAL_WINDOW_BYTES)
    return this.#receiveWindow.receive(flowControlledBytes)
  }

  #malformed(what: string): Http2Error {
    return new Http2Error(PROTOCOL_ERROR, what, this.id)
  }
}
