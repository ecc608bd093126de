/** What one turn of the event loop is meant to write at most, and the size of a slab. */
export const WRITE_BUFFER_BYTES = 64 * 1024
/** A slab with less room than this is given up at `take`: it would be outgrown in the midst of the next turn. */
const MIN_ROOM_BYTES = 8 * 1024
/** Past this the owner has forgotten to take: frames are made as the socket asks for them, never stored here. */
export const MAX_WRITE_BUFFER_BYTES = 1024 * 1024

/**
 * Collects the bytes of one socket write.
 *
 *     bytes  |▒▒ taken before ▒▒|██ filled ██|      room      |
 *            0                  start        end              bytes.length
 *
 * `take` hands out the filled part as a view and goes on behind it, so that a lone notification costs no slab of its
 * own; the memory is free when the socket has written every view of it. Nothing is copied except where the filled part
 * outgrows its slab: it moves to a new one, of 64 KiB or, when it is longer than that, twice its size and 1 MiB at most.
 * Whoever asks `hasRoomFor` first and takes when told to never gets past 64 KiB. Past 1 MiB `reserve` refuses.
 *
 * Writers put their bytes at `end` of `bytes`, after `reserve`, and move `end`. Both fields are valid until the next
 * `reserve` or `take`.
 */
export class WriteBuffer {
  bytes: Buffer = Buffer.alloc(0)
  start = 0
  end = 0

  /** How much `take` would hand out. */
  get filledBytes(): number {
    return this.end - this.start
  }

  /** Whether `bytes` more stay within the 64 KiB of a turn; if not, `take` first. */
  hasRoomFor(bytes: number): boolean {
    return this.end - this.start + bytes <= WRITE_BUFFER_BYTES
  }

  /**
   * Makes room for `bytes` more behind `end`.
   * @throws {RangeError} past 1 MiB in all: the caller's mistake.
   */
  reserve(bytes: number): void {
    if (this.end + bytes > this.bytes.length) this.#move(bytes)
  }

  /** @returns the filled bytes, not to be changed any more by anyone; empty when there are none */
  take(): Buffer {
    const taken = this.bytes.subarray(this.start, this.end)
    this.start = this.end
    if (this.bytes.length - this.end < MIN_ROOM_BYTES) this.#startSlab(Buffer.alloc(0))
    return taken
  }

  #move(bytes: number): void {
    const neededBytes = this.filledBytes + bytes
    if (neededBytes > MAX_WRITE_BUFFER_BYTES)
      throw new RangeError(
        `a write buffer of ${neededBytes} bytes, past ${MAX_WRITE_BUFFER_BYTES}: take() is due`,
      )
    const slabBytes =
      neededBytes <= WRITE_BUFFER_BYTES
        ? WRITE_BUFFER_BYTES
        : Math.min(2 * neededBytes, MAX_WRITE_BUFFER_BYTES)
    const slab = Buffer.allocUnsafeSlow(slabBytes)
    const filledBytes = this.bytes.copy(slab, 0, this.start, this.end)
    this.#startSlab(slab)
    this.end = filledBytes
  }

  #startSlab(slab: Buffer): void {
    this.bytes = slab
    this.start = 0
    this.end = 0
  }
}
