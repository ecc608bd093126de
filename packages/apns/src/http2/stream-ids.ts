import { MAX_31_BIT } from './frame-types.ts'

/**
 * How many streams before the last one a connection should be replaced. At 200 000 notifications a second, where all of
 * the identifiers last for an hour and a half, it leaves twenty seconds to open another.
 */
export const RETIRE_STREAMS = 2 ** 22

/**
 * Numbers the streams of one connection: 1, 3, 5 … 2^31-1. They are never used twice; after the last one only a new
 * connection helps.
 * @see RFC 9113 §5.1.1
 */
export class StreamIds {
  #next: number

  /** @param first odd; another than 1 is for tests. */
  constructor(first = 1) {
    this.#next = first
  }

  /** How many streams can still be opened. */
  get left(): number {
    return (MAX_31_BIT + 2 - this.#next) / 2
  }

  /** Whether it is time to open another connection. */
  get isRetireDue(): boolean {
    return this.left <= RETIRE_STREAMS
  }

  /**
   * Takes the next identifier; the stream counts as opened.
   * @throws {RangeError} when none is left: the caller's mistake.
   */
  next(): number {
    if (this.#next > MAX_31_BIT) throw new RangeError('no stream identifier is left')
    const streamId = this.#next
    this.#next += 2
    return streamId
  }

  /** Whether a stream of ours was not opened yet: a frame on it is the peer's error. [RFC 9113 §5.1, idle] */
  isIdle(streamId: number): boolean {
    return streamId >= this.#next
  }
}
