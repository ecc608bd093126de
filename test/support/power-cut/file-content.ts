export type FileChange =
  | { readonly kind: 'write'; readonly offset: number; readonly bytes: Buffer }
  | { readonly kind: 'truncate'; readonly size: number }

/** The bytes of a file. Whatever was never written reads as zeroes. */
export class FileContent {
  /** Has room to grow; what lies beyond the size is of no account. */
  #memory: Buffer
  #size: number

  constructor(bytes: Buffer) {
    this.#memory = Buffer.alloc(bytes.length)
    bytes.copy(this.#memory)
    this.#size = bytes.length
  }

  apply(change: FileChange): void {
    if (change.kind === 'truncate') {
      this.#resize(change.size)
      return
    }
    const { offset, bytes } = change
    if (offset + bytes.length > this.#size && bytes.length > 0) this.#resize(offset + bytes.length)
    bytes.copy(this.#memory, offset)
  }

  /** The same memory: it is good until the next change. */
  get bytes(): Buffer {
    return this.#memory.subarray(0, this.#size)
  }

  #resize(size: number): void {
    if (size > this.#memory.length) {
      const memory = Buffer.alloc(2 * size)
      this.bytes.copy(memory)
      this.#memory = memory
    }
    if (size > this.#size) this.#memory.fill(0, this.#size, size)
    this.#size = size
  }
}
