import { DEFAULT_TABLE_BYTES, ENTRY_OVERHEAD_BYTES, type TableEntry } from './dynamic-table.ts'
import { encodeHuffman, huffmanBytes } from './huffman.ts'
import { encodeInteger, MAX_INTEGER_BYTES } from './integer.ts'
import { encodeLatin1, isLatin1 } from './latin1.ts'
import { staticFieldIndex, staticNameIndex } from './static-table.ts'

/** What the encoder remembers of an entry that it made the peer insert. */
export interface EncodedEntry extends TableEntry {
  /** Its number, counted from the connection's first. */
  readonly insertion: number
  /** The last block that made use of it. */
  lastUsedBlock: number
}

/**
 * A field name that one encoder writes, and where it stands in the tables. Each connection makes its own, once, so that
 * a name is never searched for.
 */
export class FieldName {
  readonly text: string
  /** 1 to 61; 0: not in the static table. */
  readonly staticIndex: number
  /** The name as a string literal, its length in front. */
  readonly literal: Buffer
  /** The latest entry that bears the name; it may have been evicted since. For the encoder only. */
  entry: EncodedEntry | null = null

  /**
   * @param text in lower case, as HTTP/2 demands [RFC 9113 §8.2.1]
   * @throws {RangeError} for characters past 255: the caller's mistake.
   */
  constructor(text: string) {
    this.text = text
    this.staticIndex = staticNameIndex(text)
    this.literal = encodeStringLiteral(text)
  }
}

/**
 * A field that many requests share, value included. It is inserted into the peer's table as it is first written, and is
 * one byte from then on. Belongs to one encoder, as its name does.
 */
export class ConstantField {
  readonly name: FieldName
  /** 1 to 61; 0: not in the static table as a whole. */
  readonly staticIndex: number
  /** The value as a string literal, its length in front. */
  readonly literal: Buffer
  /** What its entry takes in the table. */
  readonly bytes: number
  /** Its latest entry; it may have been evicted since. For the encoder only. */
  entry: EncodedEntry | null = null

  /** @throws {RangeError} for characters past 255: the caller's mistake. */
  constructor(name: FieldName, value: string) {
    this.name = name
    this.staticIndex = staticFieldIndex(name.text, value)
    this.literal = encodeStringLiteral(value)
    this.bytes = name.text.length + value.length + ENTRY_OVERHEAD_BYTES
  }
}

/**
 * Encodes a string once, for many blocks: in the Huffman code where that is shorter, as it is for nearly all text.
 *
 *     H length(7+) octets        H: they are Huffman-coded [RFC 7541 §5.2]
 */
function encodeStringLiteral(text: string): Buffer {
  if (!isLatin1(text)) throw new RangeError('a header field holds characters past 255')
  const codedBytes = huffmanBytes(text)
  const huffman = codedBytes < text.length
  const length = huffman ? codedBytes : text.length
  const literal = Buffer.alloc(MAX_INTEGER_BYTES + length)
  const start = encodeInteger(literal, 0, huffman ? 0x80 : 0, 7, length)
  const end = huffman ? encodeHuffman(literal, start, text) : encodeLatin1(literal, start, text)
  return literal.subarray(0, end)
}

/** The most bytes that `beginBlock` writes: two sizes of the table. */
export const MAX_BLOCK_START_BYTES = 2 * MAX_INTEGER_BYTES

/**
 * Bounds the bytes of one encoded field from above, whatever the tables hold: for those who reserve room.
 * @param nameLength characters; so is `valueLength`
 */
export function maxFieldBytes(nameLength: number, valueLength: number): number {
  return 1 + 2 * MAX_INTEGER_BYTES + nameLength + valueLength
}

/** An encoder's table is no larger than this, however large a one the peer allows. */
export const MAX_ENCODER_TABLE_BYTES = DEFAULT_TABLE_BYTES
