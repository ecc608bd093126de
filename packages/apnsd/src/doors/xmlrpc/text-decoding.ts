import { isAscii, isUtf8 } from 'node:buffer'
import { TextDecoder } from 'node:util'
import { ApnsdError } from '../../base/errors.ts'

/** Bytes of one text, in pieces cut anywhere, to characters. Malformed bytes are refused, never replaced. */
interface Decoder {
  decode(bytes: Buffer): string
  /** @throws {ApnsdError} malformed-request where the bytes end within a character. */
  end(): string
}

/**
 * Turns the bytes of an XML document into text as they arrive.
 *
 * What tells the encoding, the strongest first: a byte order mark, the charset of the Content-Type, the encoding in the
 * XML declaration; else it is UTF-8. [RFC 7303 §3]
 */
export class DocumentDecoder {
  readonly #charset: string | undefined
  #decoder: Decoder | undefined
  /** What came before the encoding was known: at most the XML declaration. */
  #held: Buffer = Buffer.alloc(0)

  /** @param contentType as it was sent; undefined or unreadable says nothing about the encoding. */
  constructor(contentType: string | undefined) {
    this.#charset = contentType === undefined ? undefined : findCharset(contentType)
  }

  /**
   * Gives the text of the next bytes: all that is complete, which may be none.
   * @throws {ApnsdError} malformed-request at an unknown encoding, or bytes that are not of it.
   */
  decode(bytes: Buffer): string {
    if (this.#decoder !== undefined) return this.#decoder.decode(bytes)
    const seen = this.#held.length === 0 ? bytes : Buffer.concat([this.#held, bytes])
    const found = findEncoding(seen, this.#charset)
    if (found === undefined) {
      // a copy: the socket may use the memory of its own again
      this.#held = Buffer.from(seen)
      return ''
    }
    return this.#begin(seen, found).text
  }

  /** Gives what is left, once the last bytes were decoded. */
  end(): string {
    if (this.#decoder !== undefined) return this.#decoder.end()
    const label = this.#charset ?? 'utf-8'
    const found = findEncoding(this.#held, this.#charset) ?? { label, skip: 0 }
    const { text, decoder } = this.#begin(this.#held, found)
    return text + decoder.end()
  }

  #begin(bytes: Buffer, found: Encoding): { text: string; decoder: Decoder } {
    const decoder = newDecoder(found.label)
    this.#decoder = decoder
    this.#held = Buffer.alloc(0)
    return { text: decoder.decode(bytes.subarray(found.skip)), decoder }
  }
}

interface Encoding {
  label: string
  /** Bytes of the byte order mark, which is no part of the text. */
  skip: number
}

/** A declaration takes some 60 bytes. What does not close within this is none that we could read. */
const MAX_DECLARATION_BYTES = 1024
const DECLARATION_START = Buffer.from('<?xml')
const LESS_THAN = 0x3c

/** Tells the encoding from the beginning of a document; undefined where more of it must come first. */
function findEncoding(start: Buffer, charset: string | undefined): Encoding | undefined {
  if (start.length < 2) return undefined
  const marked = findMark(start)
  if (marked !== 'none') return marked
  if (charset !== undefined) return { label: resolveUtf16(charset, start), skip: 0 }
  const wide = guessUtf16(start)
  if (wide !== undefined) return { label: wide, skip: 0 }
  return findDeclared(start)
}

function findMark(start: Buffer): Encoding | undefined | 'none' {
  if (start[0] === 0xff && start[1] === 0xfe) return { label: 'utf-16le', skip: 2 }
  if (start[0] === 0xfe && start[1] === 0xff) return { label: 'utf-16be', skip: 2 }
  if (start[0] !== 0xef || start[1] !== 0xbb) return 'none'
  if (start.length < 3) return undefined
  return start[2] === 0xbf ? { label: 'utf-8', skip: 3 } : 'none'
}

/** Sees by its `<` that a document without a mark is UTF-16. [XML 1.0 appendix F.1] */
function guessUtf16(start: Buffer): string | undefined {
  if (start[0] === LESS_THAN && start[1] === 0) return 'utf-16le'
  return start[0] === 0 && start[1] === LESS_THAN ? 'utf-16be' : undefined
}

/** Without a mark and a hint, UTF-16 is big endian. [RFC 2781 §4.3] */
function resolveUtf16(label: string, start: Buffer): string {
  return label.toLowerCase() === 'utf-16' ? (guessUtf16(start) ?? 'utf-16be') : label
}

function findDeclared(start: Buffer): Encoding | undefined {
  const shared = Math.min(start.length, DECLARATION_START.length)
  if (DECLARATION_START.compare(start, 0, shared, 0, shared) !== 0) {
    return { label: 'utf-8', skip: 0 }
  }
  const end = start.indexOf('?>')
  if (end === -1 && start.length < MAX_DECLARATION_BYTES) return undefined
  const declaration = start.toString('latin1', 0, end === -1 ? MAX_DECLARATION_BYTES : end)
  const label = /\sencoding\s*=\s*["']([^"']*)["']/.exec(declaration)?.[1] ?? 'utf-8'
  if (/^utf-?16/i.test(label)) {
    throw new ApnsdError(
      'malformed-request',
      "Can't deserialize input: the XML declaration says UTF-16, but its own bytes are not.",
    )
  }
  return { label, skip: 0 }
}

/** Finds the charset among a Content-Type's parameters, however sloppy the rest of it. */
function findCharset(contentType: string): string | undefined {
  const match = /;\s*charset\s*=\s*(?:"([^"]*)"|([^;\s]+))/i.exec(contentType)
  const charset = match?.[1] ?? match?.[2]
  return charset === '' ? undefined : charset
}

/** Names that IANA lists for the two that `TextDecoder` would take for windows-1252. */
const ASCII = /^(?:us-ascii|ascii|us|ansi_x3\.4-19(?:68|86)|iso646-us|iso_646\.irv:1991|csascii)$/
const LATIN_1 = /^(?:iso[-_]?8859-1(?::1987)?|latin-?1|l1|ibm819|cp819|csisolatin1|iso-ir-100)$/

function newDecoder(label: string): Decoder {
  const name = label.trim().toLowerCase()
  if (name === 'utf-8' || name === 'utf8') return new Utf8Decoder()
  if (ASCII.test(name)) return ASCII_DECODER
  if (LATIN_1.test(name)) return LATIN_1_DECODER
  if (name === 'utf-16le') return new Utf16Decoder(false)
  if (name === 'utf-16be') return new Utf16Decoder(true)
  return new OtherDecoder(label)
}

function refuseBytes(encoding: string): never {
  throw new ApnsdError(
    'malformed-request',
    `Can't deserialize input: it holds bytes that are not ${encoding}.`,
  )
}

const ASCII_DECODER: Decoder = {
  decode: (bytes) => (isAscii(bytes) ? bytes.toString('latin1') : refuseBytes('US-ASCII')),
  end: () => '',
}

const LATIN_1_DECODER: Decoder = {
  decode: (bytes) => bytes.toString('latin1'),
  end: () => '',
}

/** `TextDecoder` does the same, but in streams it takes several times as long as these checks and slices. */
class Utf8Decoder implements Decoder {
  #carried: Buffer = Buffer.alloc(0)

  decode(bytes: Buffer): string {
    const seen = this.#carried.length === 0 ? bytes : Buffer.concat([this.#carried, bytes])
    // one byte a character: the string takes half the memory, and the parser reads it faster
    if (isAscii(seen)) {
      this.#carried = seen.subarray(0, 0)
      return seen.toString('latin1')
    }
    const whole = seen.length - countCutBytes(seen)
    const text = seen.subarray(0, whole)
    if (!isUtf8(text)) refuseBytes('UTF-8')
    this.#carried = Buffer.from(seen.subarray(whole))
    return text.toString('utf8')
  }

  end(): string {
    if (this.#carried.length > 0) refuseBytes('UTF-8')
    return ''
  }
}

/**
 * Counts the bytes at the end that begin a character without completing it: 0 to 3.
 *
 *     110xxxxx 10xxxxxx    1110xxxx 10xxxxxx 10xxxxxx    11110xxx 10xxxxxx 10xxxxxx 10xxxxxx    [RFC 3629 §3]
 */
function countCutBytes(bytes: Buffer): number {
  for (let back = 1; back <= 3 && back <= bytes.length; back++) {
    const byte = bytes[bytes.length - back]!
    if (byte < 0x80) return 0
    if (byte < 0xc0) continue
    const length = byte < 0xe0 ? 2 : byte < 0xf0 ? 3 : 4
    return length > back ? back : 0
  }
  return 0
}

class Utf16Decoder implements Decoder {
  readonly #bigEndian: boolean
  #carried: Buffer = Buffer.alloc(0)
  #cutPair = ''

  constructor(bigEndian: boolean) {
    this.#bigEndian = bigEndian
  }

  decode(bytes: Buffer): string {
    // a copy, because swapping must not change what is not ours
    const seen = Buffer.concat([this.#carried, bytes])
    const whole = seen.length - (seen.length % 2)
    this.#carried = seen.subarray(whole)
    const units = seen.subarray(0, whole)
    if (this.#bigEndian) units.swap16()
    return this.#joinPairs(this.#cutPair + units.toString('utf16le'))
  }

  end(): string {
    if (this.#carried.length > 0 || this.#cutPair !== '') refuseBytes('UTF-16')
    return ''
  }

  #joinPairs(text: string): string {
    const last = text.charCodeAt(text.length - 1)
    const cut = last >= 0xd800 && last <= 0xdbff ? 1 : 0
    this.#cutPair = text.slice(text.length - cut)
    const whole = cut === 0 ? text : text.slice(0, -1)
    if (!whole.isWellFormed()) refuseBytes('UTF-16')
    return whole
  }
}

class OtherDecoder implements Decoder {
  readonly #decoder: TextDecoder

  constructor(label: string) {
    try {
      this.#decoder = new TextDecoder(label, { fatal: true })
    } catch (cause) {
      throw new ApnsdError(
        'malformed-request',
        "Can't deserialize input: the encoding that it names is not known.",
        {
          hint: 'UTF-8 always is.',
          cause,
        },
      )
    }
  }

  decode(bytes: Buffer): string {
    return this.#run(bytes)
  }

  end(): string {
    return this.#run(undefined)
  }

  #run(bytes: Buffer | undefined): string {
    try {
      return bytes === undefined
        ? this.#decoder.decode()
        : this.#decoder.decode(bytes, { stream: true })
    } catch {
      return refuseBytes(this.#decoder.encoding)
    }
  }
}
