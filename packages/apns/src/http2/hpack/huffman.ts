import { COMPRESSION_ERROR, Http2Error } from '../errors.ts'
import { decodeLatin1 } from './latin1.ts'

/**
 * The bits of each octet's code, 5 to 30, and last those of EOS. They say all: the code is canonical, that is, codes of
 * one length are consecutive numbers in the order of the octets, and each length goes on where the one before stopped.
 * [RFC 7541 appendix B]
 */
// biome-ignore format: 16 octets a line
const CODE_BITS = [
  13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28,
  28, 28, 28, 28, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 28,
  6, 10, 10, 12, 13, 6, 8, 11, 10, 10, 8, 11, 8, 6, 6, 6,
  5, 5, 5, 6, 6, 6, 6, 6, 6, 6, 7, 8, 15, 6, 12, 10,
  13, 6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7,
  7, 7, 7, 7, 7, 7, 7, 7, 8, 7, 8, 13, 19, 13, 14, 6,
  15, 5, 6, 5, 6, 5, 6, 6, 6, 5, 7, 7, 6, 6, 6, 5,
  6, 7, 6, 5, 5, 6, 7, 7, 7, 7, 7, 15, 11, 14, 13, 28,
  20, 22, 20, 20, 22, 22, 22, 23, 22, 23, 23, 23, 23, 23, 24, 23,
  24, 24, 22, 23, 24, 23, 23, 23, 23, 21, 22, 23, 22, 23, 23, 24,
  22, 21, 20, 22, 22, 23, 23, 21, 23, 22, 22, 24, 21, 22, 23, 23,
  21, 21, 22, 21, 23, 22, 23, 23, 20, 22, 22, 22, 23, 22, 22, 23,
  26, 26, 20, 19, 22, 23, 22, 25, 26, 26, 26, 27, 27, 26, 24, 25,
  19, 21, 26, 27, 27, 26, 27, 24, 21, 21, 26, 26, 28, 27, 27, 27,
  20, 24, 20, 21, 22, 21, 21, 23, 22, 22, 25, 25, 24, 24, 26, 23,
  26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27, 27, 27, 27, 27, 26,
  30,
]
const EOS = 256
const MAX_CODE_BITS = 30
const MIN_CODE_BITS = 5

const CODES = assignCodes()

function assignCodes(): Uint32Array {
  const codes = new Uint32Array(CODE_BITS.length)
  let next = 0
  for (let bits = MIN_CODE_BITS; bits <= MAX_CODE_BITS; bits++) {
    next *= 2
    for (let symbol = 0; symbol <= EOS; symbol++)
      if (CODE_BITS[symbol] === bits) codes[symbol] = next++
  }
  return codes
}

/**
 * The decoder is a state machine over half octets. A state is an inner node of the code's tree, of which there are 256;
 * no code is shorter than five bits, so that half an octet ends one code at most. From `state << 4 | half` the table, of
 * 16 KiB, leads to
 *
 *     bit  17     16     15 ............ 8   7 ........... 0
 *         FAILS  EMITS  |  the next state  |  octet that ended |
 *
 * EMITS: an octet ended. FAILS: EOS ended, which no string may hold. States 0 to 7 are the root and the nodes that one
 * to seven 1s lead to: those, and no others, may a string end in, since its padding is the beginning of EOS and shorter
 * than an octet. [RFC 7541 §5.2]
 */
const EMITS = 1 << 16
const FAILS = 1 << 17
const FIRST_UNPADDED_STATE = 8
const TRANSITIONS = buildTransitions()

type HuffmanNode = { state: number; children: [Branch, Branch] }
/** A symbol, a deeper node, or nothing yet. */
type Branch = HuffmanNode | number | null

function buildTransitions(): Uint32Array {
  const nodes = buildTree()
  const transitions = new Uint32Array(nodes.length << 4)
  for (const node of nodes)
    for (let half = 0; half < 16; half++)
      transitions[(node.state << 4) | half] = transitionOf(node, half, nodes[0]!)
  return transitions
}

function buildTree(): HuffmanNode[] {
  const nodes: HuffmanNode[] = []
  const addNode = (): HuffmanNode => {
    const node: HuffmanNode = { state: nodes.length, children: [null, null] }
    nodes.push(node)
    return node
  }
  const root = addNode()
  // EOS first: its path makes the states that padding may end in
  for (let symbol = EOS; symbol >= 0; symbol--) {
    let node = root
    for (let bit = CODE_BITS[symbol]! - 1; bit > 0; bit--) {
      const side = (CODES[symbol]! >>> bit) & 1
      const next = node.children[side] as HuffmanNode | null
      node = next ?? (node.children[side] = addNode())
    }
    node.children[CODES[symbol]! & 1] = symbol
  }
  return nodes
}

function transitionOf(from: HuffmanNode, half: number, root: HuffmanNode): number {
  let node = from
  let emitted = 0
  for (let bit = 3; bit >= 0; bit--) {
    const next = node.children[(half >>> bit) & 1] as HuffmanNode | number
    if (typeof next !== 'number') node = next
    else if (next === EOS) return FAILS
    else {
      emitted = EMITS | next
      node = root
    }
  }
  return emitted | (node.state << 8)
}

/** Longer strings are rare enough for a buffer of their own. */
const SCRATCH_BYTES = 4096
const scratch = Buffer.alloc(SCRATCH_BYTES)

/**
 * Decodes a string, one character an octet.
 * @throws {Http2Error} COMPRESSION_ERROR for EOS within it, and for padding that is not 0 to 7 ones.
 * @see RFC 7541 §5.2
 */
export function decodeHuffman(bytes: Uint8Array, start: number, end: number): string {
  const maxOctets = Math.floor(((end - start) * 8) / MIN_CODE_BITS)
  const octets = maxOctets <= SCRATCH_BYTES ? scratch : Buffer.allocUnsafe(maxOctets)
  return decodeLatin1(octets, 0, decodeInto(octets, bytes, start, end))
}

/** @returns how many octets there are now */
function decodeInto(octets: Uint8Array, bytes: Uint8Array, start: number, end: number): number {
  let length = 0
  let state = 0
  for (let at = start; at < end; at++) {
    const byte = bytes[at]!
    const first = TRANSITIONS[(state << 4) | (byte >>> 4)]!
    if (first & EMITS) octets[length++] = first
    const second = TRANSITIONS[((first & 0xff00) >>> 4) | (byte & 15)]!
    if (second & EMITS) octets[length++] = second
    if ((first | second) & FAILS)
      throw new Http2Error(COMPRESSION_ERROR, 'a Huffman-coded string holds EOS')
    state = (second & 0xff00) >>> 8
  }
  if (state >= FIRST_UNPADDED_STATE)
    throw new Http2Error(COMPRESSION_ERROR, 'a Huffman-coded string is padded wrongly')
  return length
}

/** Counts the bytes that a string of characters 0 to 255 takes in the Huffman code, padding included. */
export function huffmanBytes(text: string): number {
  let bits = 0
  for (let at = 0; at < text.length; at++) bits += CODE_BITS[text.charCodeAt(at)]!
  return (bits + 7) >>> 3
}

/**
 * Encodes a string of characters 0 to 255; it takes `huffmanBytes`.
 * @returns the offset behind it
 * @see RFC 7541 §5.2
 */
export function encodeHuffman(target: Uint8Array, at: number, text: string): number {
  // fewer than 8 bits wait in `pending`, and a code has 30 at most: it goes in as two halves, so that 32 bits suffice
  let pending = 0
  let pendingBits = 0
  const put = (code: number, bits: number): void => {
    pending = (pending << bits) | code
    pendingBits += bits
    while (pendingBits >= 8) {
      pendingBits -= 8
      target[at++] = pending >>> pendingBits
    }
  }
  for (let index = 0; index < text.length; index++) {
    const octet = text.charCodeAt(index)
    const bits = CODE_BITS[octet]!
    if (bits > 15) put(CODES[octet]! >>> 15, bits - 15)
    put(CODES[octet]! & 0x7fff, Math.min(bits, 15))
  }
  if (pendingBits > 0) put(0xff >>> pendingBits, 8 - pendingBits)
  return at
}
