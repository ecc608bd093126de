/**
 * Reads DER, as far as certificates and keys need it: definite lengths, one-byte tags.
 *
 *     +-----+----------------------------+-----------------+
 *     | tag | length                     | content         |
 *     | 1   | 1, or 0x80+n then n bytes  | `length` bytes  |
 *     +-----+----------------------------+-----------------+
 *
 * @see X.690 §8.1, §10.1
 */

export const TAG_INTEGER = 0x02
export const TAG_BIT_STRING = 0x03
export const TAG_OCTET_STRING = 0x04
export const TAG_OBJECT_IDENTIFIER = 0x06
export const TAG_UTF8_STRING = 0x0c
export const TAG_SEQUENCE = 0x30
/** `[0]` of whatever type, constructed. */
export const TAG_CONTEXT_0 = 0xa0

/** No certificate needs a length of more than four bytes. */
const MAX_LENGTH_BYTES = 4

export interface DerElement {
  readonly tag: number
  readonly content: Uint8Array
}

/** Bytes that are not DER, or not in the shape that was looked for. */
export class DerError extends Error {}

/**
 * Decodes the elements that follow one another in `bytes`, to the last byte.
 * @throws {DerError} where a length runs past the end, or is indefinite
 */
export function decodeDerElements(bytes: Uint8Array): DerElement[] {
  const elements: DerElement[] = []
  let offset = 0
  while (offset < bytes.length) {
    const { tag, contentStart, contentEnd } = decodeHeader(bytes, offset)
    elements.push({ tag, content: bytes.subarray(contentStart, contentEnd) })
    offset = contentEnd
  }
  return elements
}

/**
 * Decodes the first element of `bytes`; what follows it is passed over.
 * @throws {DerError} where there is none, or it runs past the end
 */
export function decodeFirstDerElement(bytes: Uint8Array): DerElement {
  const { tag, contentStart, contentEnd } = decodeHeader(bytes, 0)
  return { tag, content: bytes.subarray(contentStart, contentEnd) }
}

/**
 * Gives the content of an element that has to be there, with this tag.
 * @param what names it in the error: `a certificate`
 * @throws {DerError} where it is missing or another
 */
export function contentOf(element: DerElement | undefined, tag: number, what: string): Uint8Array {
  if (element?.tag !== tag) throw new DerError(`expected ${what}`)
  return element.content
}

/**
 * Decodes an INTEGER's content as far as a number counts exactly, a larger one as Infinity. [X.690 §8.3]
 * @throws {DerError} where it is empty
 */
export function decodeDerInteger(content: Uint8Array): number {
  const first = content[0]
  if (first === undefined) throw new DerError('an INTEGER without content')
  let value = first >= 0x80 ? -1 : 0
  for (const byte of content) value = value * 256 + byte
  return Number.isSafeInteger(value) ? value : value * Number.POSITIVE_INFINITY
}

function decodeHeader(bytes: Uint8Array, offset: number) {
  if (offset + 2 > bytes.length) throw new DerError('cut off in an element header')
  const tag = bytes[offset]!
  const first = bytes[offset + 1]!
  let contentStart = offset + 2
  let length = first
  if (first >= 0x80) {
    const lengthBytes = first & 0x7f
    if (lengthBytes === 0 || lengthBytes > MAX_LENGTH_BYTES)
      throw new DerError(`a length of ${lengthBytes} bytes`)
    if (contentStart + lengthBytes > bytes.length) throw new DerError('cut off in a length')
    length = 0
    for (let i = 0; i < lengthBytes; i += 1) length = length * 256 + bytes[contentStart + i]!
    contentStart += lengthBytes
  }
  const contentEnd = contentStart + length
  if (contentEnd > bytes.length) throw new DerError('a length past the end')
  return { tag, contentStart, contentEnd }
}

/** Writes an OBJECT IDENTIFIER's content out as `1.2.840…`. [X.690 §8.19] */
export function formatObjectIdentifier(content: Uint8Array): string {
  const arcs: number[] = []
  let arc = 0
  for (const byte of content) {
    arc = arc * 128 + (byte & 0x7f)
    if (byte >= 0x80) continue
    if (arcs.length === 0) {
      const root = Math.min(2, Math.floor(arc / 40))
      arcs.push(root, arc - root * 40)
    } else {
      arcs.push(arc)
    }
    arc = 0
  }
  return arcs.join('.')
}
