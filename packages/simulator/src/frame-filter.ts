/** length u24 | type u8 | flags u8 | stream u31 [RFC 9113 §4.1] */
const HEADER_BYTES = 9
const TYPE_AT = 3

/** Takes the frames of one type out of a stream of bytes that begins with a frame, however the bytes are cut. */
export class FrameFilter {
  readonly #type: number
  #header = Buffer.alloc(0)
  #payloadBytesLeft = 0
  #dropping = false

  /** @param type of the frames to drop, such as 7 for GOAWAY. */
  constructor(type: number) {
    this.#type = type
  }

  /** Gives what is left of the next bytes. */
  pass(bytes: Buffer): Buffer {
    const kept: Buffer[] = []
    let rest = bytes
    while (rest.length > 0) {
      rest = this.#payloadBytesLeft > 0 ? this.#payload(rest, kept) : this.#headerOf(rest, kept)
    }
    return Buffer.concat(kept)
  }

  #payload(bytes: Buffer, kept: Buffer[]): Buffer {
    const part = bytes.subarray(0, this.#payloadBytesLeft)
    this.#payloadBytesLeft -= part.length
    if (!this.#dropping) kept.push(part)
    return bytes.subarray(part.length)
  }

  #headerOf(bytes: Buffer, kept: Buffer[]): Buffer {
    const part = bytes.subarray(0, HEADER_BYTES - this.#header.length)
    const header = Buffer.concat([this.#header, part])
    this.#header = header
    if (header.length === HEADER_BYTES) {
      this.#payloadBytesLeft = header.readUIntBE(0, 3)
      this.#dropping = header.readUInt8(TYPE_AT) === this.#type
      if (!this.#dropping) kept.push(header)
      this.#header = Buffer.alloc(0)
    }
    return bytes.subarray(part.length)
  }
}
