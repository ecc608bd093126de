import { DEFAULT_TABLE_BYTES, DynamicTable, ENTRY_OVERHEAD_BYTES } from './dynamic-table.ts'
import {
  type ConstantField,
  type EncodedEntry,
  type FieldName,
  MAX_BLOCK_START_BYTES,
  MAX_ENCODER_TABLE_BYTES,
  maxFieldBytes,
} from './fields.ts'
import { encodeInteger, MAX_INTEGER_BYTES } from './integer.ts'
import { encodeLatin1 } from './latin1.ts'
import { STATIC_LENGTH } from './static-table.ts'

/** The first bits of a field, and how many bits its index has after them. [RFC 7541 §6] */
const INDEXED = 0x80
const INDEXED_BITS = 7
const INSERTED = 0x40
const INSERTED_BITS = 6
const TABLE_SIZE = 0x20
const TABLE_SIZE_BITS = 5
const NEVER_INDEXED = 0x10
const NOT_INSERTED = 0x00
const LITERAL_BITS = 4

/** An entry that none of so many blocks used may be evicted for another: a token that was replaced, a rare topic. */
const LIVE_BLOCKS = 128

/**
 * Encodes the header blocks that one connection sends, straight into the caller's buffer:
 *
 *     let at = encoder.beginBlock(target, start)
 *     at = encoder.encodeConstant(target, at, topic)            one byte, after the first time
 *     at = encoder.encodeVarying(target, at, apnsId, id)        the name one or two bytes, the value as it is
 *     at = encoder.encodeVarying(target, at, path, '/3/device/', deviceToken)
 *     at = encoder.encodeNeverIndexed(target, at, authorization, `bearer ${providerToken}`)
 *
 * A block that was begun must reach the peer, and blocks must reach it in the order they were begun: each changes both
 * ends' tables. The caller reserves `MAX_BLOCK_START_BYTES` and for each field `maxFieldBytes`.
 *
 * Which way to write a field (Apple, "Sending notification requests to APNs" and "Establishing a connection to APNs";
 * the two differ): constant for what seldom changes, the JWT included, which Apple names, and which no one can guess
 * piece by piece from lengths [RFC 7541 §7.1]; varying for `:path`, `apns-id`, `apns-expiration`, `apns-collapse-id`;
 * never indexed for a secret that no proxy on the way may keep in its own tables.
 *
 * Varying values are not Huffman-coded: 64 hex digits took 600 ns against 100 as they are, to spare 19 bytes of the
 * 122 of a block (Node 24, two shared cores). Constants are, since they are coded once.
 */
export class HpackEncoder {
  readonly #table = new DynamicTable<EncodedEntry>(DEFAULT_TABLE_BYTES)
  readonly #maxTableBytes: number
  /** What the next block must announce: the least and the last of the sizes since the block before. */
  #leastBytes = DEFAULT_TABLE_BYTES
  #lastBytes = DEFAULT_TABLE_BYTES
  #block = 0

  /** @param maxTableBytes our own limit to the table, below the peer's. */
  constructor(maxTableBytes: number = MAX_ENCODER_TABLE_BYTES) {
    this.#maxTableBytes = maxTableBytes
    this.setPeerMaxTableBytes(DEFAULT_TABLE_BYTES)
  }

  /**
   * Obeys the peer's SETTINGS_HEADER_TABLE_SIZE from the next block on.
   * @param maxTableBytes 0 to 2^32-1; of more than our own limit we make no use
   * @see RFC 7541 §4.2
   */
  setPeerMaxTableBytes(maxTableBytes: number): void {
    this.#lastBytes = Math.min(maxTableBytes, this.#maxTableBytes)
    this.#leastBytes = Math.min(this.#leastBytes, this.#lastBytes)
  }

  /**
   * Begins a block, with the sizes of the table that are due. At most `MAX_BLOCK_START_BYTES`.
   * @returns the offset behind it, as all of the `encode…` do
   */
  beginBlock(target: Buffer, at: number): number {
    this.#block++
    if (this.#leastBytes === this.#lastBytes && this.#lastBytes === this.#table.maxBytes) return at
    checkRoom(target, at, MAX_BLOCK_START_BYTES)
    if (this.#leastBytes < Math.min(this.#lastBytes, this.#table.maxBytes))
      at = this.#announceSize(target, at, this.#leastBytes)
    if (this.#lastBytes !== this.#table.maxBytes)
      at = this.#announceSize(target, at, this.#lastBytes)
    this.#leastBytes = this.#lastBytes
    return at
  }

  #announceSize(target: Buffer, at: number, maxBytes: number): number {
    this.#table.resize(maxBytes)
    return encodeInteger(target, at, TABLE_SIZE, TABLE_SIZE_BITS, maxBytes)
  }

  /** Encodes a field as its index; or in full, and inserts it if the table has room that it may use. */
  encodeConstant(target: Buffer, at: number, field: ConstantField): number {
    const index = field.staticIndex === 0 ? this.#indexOf(field.entry) : field.staticIndex
    if (index === 0) return this.#encodeInFull(target, at, field)
    checkRoom(target, at, MAX_INTEGER_BYTES)
    return encodeInteger(target, at, INDEXED, INDEXED_BITS, index)
  }

  #encodeInFull(target: Buffer, at: number, field: ConstantField): number {
    checkRoom(target, at, MAX_INTEGER_BYTES + field.name.literal.length + field.literal.length)
    const inserts = this.#mayInsert(field.bytes)
    at = inserts
      ? this.#encodeName(target, at, INSERTED, INSERTED_BITS, field.name)
      : this.#encodeName(target, at, NOT_INSERTED, LITERAL_BITS, field.name)
    if (inserts) field.entry = this.#insert(field.name, field.bytes)
    target.set(field.literal, at)
    return at + field.literal.length
  }

  /**
   * Encodes a field whose value is another each time. The first time it is inserted all the same, if its name is in no
   * table: that spares the name from then on.
   * @param value characters 0 to 255, which nothing checks here: others lose their upper bits
   * @param tail the rest of the value, for a value of two parts that need not be joined
   */
  encodeVarying(target: Buffer, at: number, name: FieldName, value: string, tail = ''): number {
    const valueLength = value.length + tail.length
    checkRoom(target, at, maxFieldBytes(name.text.length, valueLength))
    const bytes = name.text.length + valueLength + ENTRY_OVERHEAD_BYTES
    if (this.#nameIndexOf(name) === 0 && this.#mayInsert(bytes)) {
      at = this.#encodeName(target, at, INSERTED, INSERTED_BITS, name)
      this.#insert(name, bytes)
    } else {
      at = this.#encodeName(target, at, NOT_INSERTED, LITERAL_BITS, name)
    }
    return encodeValue(target, at, value, tail)
  }

  /** Encodes a field so that neither we nor any proxy behind the peer keep its value in a table. [RFC 7541 §6.2.3] */
  encodeNeverIndexed(target: Buffer, at: number, name: FieldName, value: string): number {
    checkRoom(target, at, maxFieldBytes(name.text.length, value.length))
    at = this.#encodeName(target, at, NEVER_INDEXED, LITERAL_BITS, name)
    return encodeValue(target, at, value, '')
  }

  #encodeName(
    target: Buffer,
    at: number,
    pattern: number,
    prefixBits: number,
    name: FieldName,
  ): number {
    const index = this.#nameIndexOf(name)
    at = encodeInteger(target, at, pattern, prefixBits, index)
    if (index > 0) return at
    target.set(name.literal, at)
    return at + name.literal.length
  }

  #nameIndexOf(name: FieldName): number {
    return name.staticIndex === 0 ? this.#indexOf(name.entry) : name.staticIndex
  }

  /** @returns its index on the wire; 0 for an entry that was evicted, or none. */
  #indexOf(entry: EncodedEntry | null): number {
    if (entry === null) return 0
    const index = this.#table.insertedCount - entry.insertion
    if (index > this.#table.length) return 0
    entry.lastUsedBlock = this.#block
    return index + STATIC_LENGTH
  }

  /**
   * Decides whether an entry may go in. Those in use must all fit: in a table too small for them each would evict the
   * next, and each request would carry all of them in full, with insertions for the peer to carry out.
   */
  #mayInsert(bytes: number): boolean {
    const { maxBytes, usedBytes } = this.#table
    if (usedBytes + bytes <= maxBytes) return true
    return bytes <= maxBytes && this.#liveBytes() + bytes <= maxBytes
  }

  #liveBytes(): number {
    let bytes = 0
    for (let index = 1; index <= this.#table.length; index++) {
      const entry = this.#table.at(index)!
      if (entry.lastUsedBlock > this.#block - LIVE_BLOCKS) bytes += entry.bytes
    }
    return bytes
  }

  #insert(name: FieldName, bytes: number): EncodedEntry {
    const entry = { bytes, insertion: this.#table.insertedCount, lastUsedBlock: this.#block }
    this.#table.insert(entry)
    name.entry = entry
    return entry
  }
}

function encodeValue(target: Buffer, at: number, value: string, tail: string): number {
  at = encodeInteger(target, at, 0, 7, value.length + tail.length)
  return encodeLatin1(target, encodeLatin1(target, at, value), tail)
}

/** Without it a buffer too short would swallow the rest silently. */
function checkRoom(target: Buffer, at: number, bytes: number): void {
  if (target.length - at < bytes)
    throw new RangeError(`${target.length - at} bytes are left for a header field of ${bytes}`)
}
