import { decodeHuffman } from './huffman.ts'
import { decodeLatin1 } from './latin1.ts'

const SLOTS = 32
const SLOT_MASK = SLOTS - 1
/** Longer ones are decoded each time. */
const MAX_BYTES = 64

interface CachedString {
  readonly huffman: boolean
  /** As on the wire, Huffman-coded or not. */
  readonly octets: Uint8Array
  readonly text: string
}

/**
 * Knows again the strings that a peer spells out in each answer, as it must once we announced a dynamic table of 0 bytes:
 * names, and values such as a date. Comparing a few octets took 10 to 15 ns, making a new string of them 95 ns,
 * Huffman-coded 130 ns.
 *
 * A slot takes a string that comes to it twice in a row. So an `apns-id`, another in each answer, drives nothing out.
 * 32 slots of at most 64 octets.
 */
export class StringCache {
  readonly #slots: (CachedString | undefined)[] = Array.from({ length: SLOTS })
  /** Marks of the strings that came to each slot last. */
  readonly #marks = new Uint32Array(SLOTS)

  /** Decodes a string, or gives the one that the same octets gave before. Not for empty ones. */
  decode(bytes: Uint8Array, start: number, end: number, huffman: boolean): string {
    const mark = markOf(bytes, start, end)
    const slot = mark & SLOT_MASK
    const cached = this.#slots[slot]
    if (cached?.huffman === huffman && equals(cached.octets, bytes, start, end)) return cached.text
    const text = huffman ? decodeHuffman(bytes, start, end) : decodeLatin1(bytes, start, end)
    if (this.#marks[slot] === mark && end - start <= MAX_BYTES)
      // a copy: a Buffer's own `slice` is a view, and the reader uses its buffer again
      this.#slots[slot] = { huffman, octets: new Uint8Array(bytes.subarray(start, end)), text }
    this.#marks[slot] = mark
    return text
  }
}

/** Tells most strings apart: by their length and four of their octets, one from the middle, where two dates differ. */
function markOf(bytes: Uint8Array, start: number, end: number): number {
  let mark = end - start
  mark = Math.imul(mark, 31) + bytes[start]!
  mark = Math.imul(mark, 31) + bytes[(start + end) >>> 1]!
  mark = Math.imul(mark, 31) + bytes[Math.max(start, end - 4)]!
  return (Math.imul(mark, 31) + bytes[end - 1]!) >>> 0
}

function equals(octets: Uint8Array, bytes: Uint8Array, start: number, end: number): boolean {
  if (octets.length !== end - start) return false
  for (let at = 0; at < octets.length; at++) if (octets[at] !== bytes[start + at]) return false
  return true
}
