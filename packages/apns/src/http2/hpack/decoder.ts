import { COMPRESSION_ERROR, Http2Error } from '../errors.ts'
import { DynamicTable, ENTRY_OVERHEAD_BYTES, type TableEntry } from './dynamic-table.ts'
import { type BlockCursor, decodeInteger } from './integer.ts'
import { STATIC_LENGTH, STATIC_NAMES, STATIC_VALUES } from './static-table.ts'
import { StringCache } from './string-cache.ts'

/**
 * Takes a field of a header block, its octets as characters 0 to 255. It must not throw: the rest of the block would go
 * unread, and the tables of both ends would differ from then on.
 * @param sensitive the peer asks that the field never be compressed. [RFC 7541 §7.1.3]
 */
export type OnField = (name: string, value: string, sensitive: boolean) => void

export interface HpackDecoderLimits {
  /** SETTINGS_HEADER_TABLE_SIZE in force as the connection starts: 4096, whatever we are about to announce. */
  readonly maxTableBytes: number
  /** The most bytes of a block's fields, each with 32 besides name and value. [RFC 9113 §6.5.2] */
  readonly maxHeaderListBytes: number
}

interface DecodedEntry extends TableEntry {
  readonly name: string
  readonly value: string
}

const NO_BYTES = new Uint8Array(0)

/**
 * Decodes the header blocks that one connection receives; each one must go through it, in order, even those nobody waits
 * for. It holds the dynamic table and a few names, never more than `maxTableBytes`, and reads what it is given only
 * during the call.
 *
 * The first bits of a field tell how it is written [RFC 7541 §6]:
 *
 *     1 index(7+)                                indexed
 *     0 1 name index(6+) [name] value            literal, then inserted into the table
 *     0 0 1 size(5+)                             no field: a new size of the table, only before the first field
 *     0 0 0 1 name index(4+) [name] value        literal, never indexed
 *     0 0 0 0 name index(4+) [name] value        literal, not inserted
 */
export class HpackDecoder {
  readonly #table: DynamicTable<DecodedEntry>
  readonly #names = new StringCache()
  readonly #values = new StringCache()
  readonly #cursor: BlockCursor = { bytes: NO_BYTES, at: 0, end: 0 }
  readonly #maxHeaderListBytes: number
  #maxTableBytes: number
  /** The least that we allowed since the peer last said a size, where its table is larger; the next one must obey it. */
  #owedSizeBytes = Infinity
  #headerListBytes = 0

  constructor(limits: HpackDecoderLimits) {
    this.#table = new DynamicTable(limits.maxTableBytes)
    this.#maxTableBytes = limits.maxTableBytes
    this.#maxHeaderListBytes = limits.maxHeaderListBytes
  }

  /**
   * Puts SETTINGS_HEADER_TABLE_SIZE into force, once the peer has acknowledged it. If it is less than the peer's table
   * holds, the next block is to begin with the new size. A peer that goes on with its larger table instead is borne: h2o
   * 2.2 and lighttpd 1.4 never say a size, and a table that is as large as theirs decodes all they send.
   * @param maxTableBytes 0 to 2^32-1
   * @see RFC 7541 §4.2
   */
  setMaxTableBytes(maxTableBytes: number): void {
    this.#maxTableBytes = maxTableBytes
    if (maxTableBytes < Math.min(this.#table.maxBytes, this.#owedSizeBytes))
      this.#owedSizeBytes = maxTableBytes
  }

  /**
   * Decodes a whole block, from `start` to before `end`, telling of each field in order.
   * @returns whether `onField` was told of all. False: the list exceeds `maxHeaderListBytes`; the field that exceeded it
   *   and those behind were read, so that the tables stay alike, but not told. The stream is to be reset, while the
   *   connection goes on.
   * @throws {Http2Error} COMPRESSION_ERROR for whatever RFC 7541 calls a decoding error: the connection is lost.
   */
  decode(bytes: Uint8Array, start: number, end: number, onField: OnField): boolean {
    const cursor = this.#cursor
    cursor.bytes = bytes
    cursor.at = start
    cursor.end = end
    this.#headerListBytes = 0
    this.#readSizeUpdates()
    while (cursor.at < end) this.#readField(bytes[cursor.at]!, onField)
    cursor.bytes = NO_BYTES
    return this.#headerListBytes <= this.#maxHeaderListBytes
  }

  #readSizeUpdates(): void {
    const cursor = this.#cursor
    while (cursor.at < cursor.end && (cursor.bytes[cursor.at]! & 0xe0) === 0x20) {
      const maxBytes = decodeInteger(cursor, 5)
      if (maxBytes > Math.min(this.#maxTableBytes, this.#owedSizeBytes))
        throw new Http2Error(COMPRESSION_ERROR, `a table size of ${maxBytes} is above the limit`)
      this.#owedSizeBytes = Infinity
      this.#table.resize(maxBytes)
    }
  }

  #readField(first: number, onField: OnField): void {
    if (first >= 0x80) this.#readIndexed(onField)
    else if (first >= 0x40) this.#readInserted(onField)
    else if (first < 0x20) this.#readLiteral(first >= 0x10, onField)
    else throw new Http2Error(COMPRESSION_ERROR, 'a table size update behind a field')
  }

  #readIndexed(onField: OnField): void {
    const index = decodeInteger(this.#cursor, 7)
    if (index > STATIC_LENGTH) {
      const { name, value } = this.#entryAt(index)
      this.#tell(name, value, false, onField)
    } else if (index > 0) {
      this.#tell(STATIC_NAMES[index]!, STATIC_VALUES[index]!, false, onField)
    } else {
      throw new Http2Error(COMPRESSION_ERROR, 'a field of index 0')
    }
  }

  #readInserted(onField: OnField): void {
    const name = this.#readName(decodeInteger(this.#cursor, 6))
    const value = this.#readString(this.#values)
    this.#table.insert({ bytes: fieldBytes(name, value), name, value })
    this.#tell(name, value, false, onField)
  }

  #readLiteral(sensitive: boolean, onField: OnField): void {
    const name = this.#readName(decodeInteger(this.#cursor, 4))
    this.#tell(name, this.#readString(this.#values), sensitive, onField)
  }

  /** @param index 0: the name follows in full */
  #readName(index: number): string {
    if (index > STATIC_LENGTH) return this.#entryAt(index).name
    if (index > 0) return STATIC_NAMES[index]!
    return this.#readString(this.#names)
  }

  #entryAt(index: number): DecodedEntry {
    const entry = this.#table.at(index - STATIC_LENGTH)
    if (entry === undefined)
      throw new Http2Error(COMPRESSION_ERROR, `index ${index} is not in the table`)
    return entry
  }

  /**
   *     H length(7+) octets        H: they are Huffman-coded [RFC 7541 §5.2]
   */
  #readString(cache: StringCache): string {
    const cursor = this.#cursor
    const { bytes, at } = cursor
    const length = decodeInteger(cursor, 7)
    const start = cursor.at
    if (length > cursor.end - start)
      throw new Http2Error(COMPRESSION_ERROR, 'the header block is cut off in a string')
    cursor.at = start + length
    if (length === 0) return ''
    const huffman = bytes[at]! >= 0x80
    return cache.decode(bytes, start, cursor.at, huffman)
  }

  #tell(name: string, value: string, sensitive: boolean, onField: OnField): void {
    this.#headerListBytes += fieldBytes(name, value)
    if (this.#headerListBytes <= this.#maxHeaderListBytes) onField(name, value, sensitive)
  }
}

function fieldBytes(name: string, value: string): number {
  return name.length + value.length + ENTRY_OVERHEAD_BYTES
}
