/** Reads numbers and runs of bytes one after the other. Running past the end throws a RangeError. */
export class ByteReader {
  readonly #bytes: Buffer
  #offset = 0

  constructor(bytes: Uint8Array) {
    this.#bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  }

  get isAtEnd(): boolean {
    return this.#offset === this.#bytes.length
  }

  readUInt8(): number {
    const value = this.#bytes.readUInt8(this.#offset)
    this.#offset += 1
    return value
  }

  readUInt16(): number {
    const value = this.#bytes.readUInt16BE(this.#offset)
    this.#offset += 2
    return value
  }

  readUInt32(): number {
    const value = this.#bytes.readUInt32BE(this.#offset)
    this.#offset += 4
    return value
  }

  /** The next `length` bytes, not copied. */
  readBytes(length: number): Buffer {
    const end = this.#offset + length
    if (end > this.#bytes.length) throw new RangeError('the bytes end too early')
    const bytes = this.#bytes.subarray(this.#offset, end)
    this.#offset = end
    return bytes
  }
}
