import { FLOW_CONTROL_ERROR, Http2Error } from './errors.ts'
import { INITIAL_WINDOW_BYTES, MAX_31_BIT } from './frame-types.ts'

/**
 * How much DATA we may still send on one stream, or on the connection.
 * @see RFC 9113 §6.9.1, §6.9.2
 */
export class FlowWindow {
  readonly #streamId: number
  #bytes: number

  /** @param streamId 0: the connection. @param bytes 0 to 2^31-1: the connection starts with 65535, whatever SETTINGS say. */
  constructor(streamId: number, bytes: number) {
    this.#streamId = streamId
    this.#bytes = bytes
  }

  /** What may be sent now; 0 or less: nothing, until the peer widens the window. */
  get bytes(): number {
    return this.#bytes
  }

  /**
   * Takes what is being sent.
   * @throws {RangeError} for more than is left: the caller's mistake.
   */
  spend(bytes: number): void {
    if (bytes > this.#bytes && bytes > 0)
      throw new RangeError(`${bytes} bytes out of a window of ${this.#bytes}`)
    this.#bytes -= bytes
  }

  /**
   * Widens the window, as WINDOW_UPDATE says.
   * @param incrementBytes 1 to 2^31-1; added to what is left, which may be negative after a SETTINGS change.
   * @throws {Http2Error} FLOW_CONTROL_ERROR past 2^31-1: closes the stream, or for stream 0 the connection.
   */
  widen(incrementBytes: number): void {
    const bytes = this.#bytes + incrementBytes
    if (bytes > MAX_31_BIT)
      throw new Http2Error(FLOW_CONTROL_ERROR, `a window of ${bytes} bytes`, this.#streamId)
    this.#bytes = bytes
  }

  /**
   * Shifts a stream's window, as a new INITIAL_WINDOW_SIZE says; it may become negative. Never for the connection.
   * @param deltaBytes the new value less the old.
   * @throws {Http2Error} FLOW_CONTROL_ERROR past 2^31-1, for the connection: the setting concerns all streams.
   */
  shift(deltaBytes: number): void {
    const bytes = this.#bytes + deltaBytes
    if (bytes > MAX_31_BIT)
      throw new Http2Error(
        FLOW_CONTROL_ERROR,
        `INITIAL_WINDOW_SIZE makes a window of ${bytes} bytes`,
      )
    this.#bytes = bytes
  }
}

/**
 * How much DATA the peer may still send on one stream, or on the connection, and when it is told of more: answers from
 * APNs are short and used up as they are read, so every byte is given back, at once when half of the window is spent.
 * @see RFC 9113 §6.9
 */
export class ReceiveWindow {
  readonly #streamId: number
  readonly #fullBytes: number
  #bytes: number

  /**
   * @param streamId 0: the connection.
   * @param fullBytes what the peer is to have when nothing is spent, 1 to 2^31-1; on the connection at least 65535.
   * @param bytes what it has by itself: 65535 on the connection, on a stream our INITIAL_WINDOW_SIZE.
   */
  constructor(streamId: number, fullBytes: number, bytes: number = INITIAL_WINDOW_BYTES) {
    this.#streamId = streamId
    this.#fullBytes = fullBytes
    this.#bytes = bytes
  }

  /** What the peer may still send. */
  get bytes(): number {
    return this.#bytes
  }

  /**
   * Counts a DATA frame, padding included.
   * @returns by how much WINDOW_UPDATE is to widen the window now; 0: not yet
   * @throws {Http2Error} FLOW_CONTROL_ERROR for more than was left: closes the stream, or for stream 0 the connection.
   */
  receive(flowControlledBytes: number): number {
    if (flowControlledBytes > this.#bytes)
      throw new Http2Error(
        FLOW_CONTROL_ERROR,
        `${flowControlledBytes} bytes of DATA into a window of ${this.#bytes}`,
        this.#streamId,
      )
    this.#bytes -= flowControlledBytes
    return this.#bytes * 2 <= this.#fullBytes ? this.refill() : 0
  }

  /** Fills the window up: to be called when a connection opens. @returns by how much WINDOW_UPDATE is to widen it; 0: not at all */
  refill(): number {
    const incrementBytes = Math.max(0, this.#fullBytes - this.#bytes)
    this.#bytes += incrementBytes
    return incrementBytes
  }
}
