import type { AnswerFields, AnswerFieldValues } from './answer-fields.ts'
import { Http2Error, PROTOCOL_ERROR } from './errors.ts'
import { FlowWindow, ReceiveWindow } from './flow-window.ts'
import { INITIAL_WINDOW_BYTES } from './frame-types.ts'

/**
 * What can come of one request: exactly one of these, once.
 * - `answered`: the stream holds the answer.
 * - `notProcessed`: the peer provably did not process it.
 * - `inDoubt`: it was sent, and no answer came.
 */
export type StreamEnd = 'answered' | 'notProcessed' | 'inDoubt'

/** An answer's body is a short JSON object; more than this is not Apple, and is cut off. */
const MAX_BODY_BYTES = 16 * 1024
/** Answers that have no body whatever their content-length says. [RFC 9110 §6.4.1] */
const NO_CONTENT = 204
const NOT_MODIFIED = 304

/**
 * One request's stream, from its HEADERS to its one end, with the answer as far as it has come.
 *
 *     open ──payload sent──▶ half-closed (local) ──answer with END_STREAM──▶ closed
 *       └────────────── RST_STREAM, GOAWAY, connection lost ──────────────────▲
 *
 * It is the one object that a request costs: whoever sends extends it by what they need to know at its end. All fields
 * are there from birth, so that all streams have one shape.
 */
export class RequestStream {
  /** 0 until its HEADERS are written. */
  id = 0
  /** When its HEADERS were written: whole ms of `performance.now()`. */
  sentAtMs = 0
  /** Its neighbours among the open streams, in the order in which they were opened; for OpenStreams only. */
  previous: RequestStream | null = null
  next: RequestStream | null = null
  /** What is left of the payload while it waits for a window; null: nothing. */
  payload: Uint8Array | null = null
  sentBytes = 0
  /** Counted only while payload waits: before, all of it fits; afterwards nobody asks. */
  window: FlowWindow | null = null
  /** The answer's; 0 as long as its final header block has not come. */
  status = 0
  /** Of the answer's fields, those that the session keeps; null: none of them came. */
  fields: AnswerFieldValues | null = null
  #contentLength = -1
  #receivedBytes = 0
  #receiveWindow: ReceiveWindow | null = null
  #body: Buffer[] | null = null

  /** The answer's body as text; what goes past 16 KiB is cut off. */
  get body(): string {
    return this.#body === null ? '' : Buffer.concat(this.#body).toString('utf8')
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
    if (this.status !== 0) {
      if (block.status !== 0 || !endStream) throw this.#malformed('fields behind the answer’s own')
      return
    }
    if (block.status === 0) throw this.#malformed('an answer without :status')
    if (block.status >= 200) {
      this.status = block.status
      this.fields = block.kept
      this.#contentLength = block.contentLength
    } else if (endStream) throw this.#malformed('an interim answer that ends the stream')
  }

  /**
   * Takes a piece of the answer's body.
   * @returns by how much WINDOW_UPDATE is to widen the stream's window; 0: not yet
   * @throws {Http2Error} PROTOCOL_ERROR or FLOW_CONTROL_ERROR, for the stream
   */
  takeData(bytes: Uint8Array, start: number, end: number, flowControlledBytes: number): number {
    if (this.status === 0) throw this.#malformed('DATA before the answer’s fields')
    if (flowControlledBytes === 0) return 0
    const room = MAX_BODY_BYTES - this.#receivedBytes
    if (room > 0 && end > start) {
      this.#body ??= []
      // a copy: the reader's bytes are valid during the call only
      this.#body.push(Buffer.from(bytes.subarray(start, Math.min(end, start + room))))
    }
    this.#receivedBytes += end - start
    this.#receiveWindow ??= new ReceiveWindow(this.id, INITIAL_WINDOW_BYTES)
    return this.#receiveWindow.receive(flowControlledBytes)
  }

  /**
   * Holds the whole answer to its content-length. [RFC 9113 §8.1.1]
   * @throws {Http2Error} PROTOCOL_ERROR, for the stream
   */
  checkLength(): void {
    if (this.#contentLength === -1 || this.#contentLength === this.#receivedBytes) return
    if (this.status === NO_CONTENT || this.status === NOT_MODIFIED) return
    throw this.#malformed('an answer as long as its content-length is not')
  }

  #malformed(what: string): Http2Error {
    return new Http2Error(PROTOCOL_ERROR, what, this.id)
  }
}
