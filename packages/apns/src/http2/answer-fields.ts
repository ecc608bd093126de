import { Http2Error, PROTOCOL_ERROR } from './errors.ts'

/** Fields that speak of a connection have no place in HTTP/2. [RFC 9113 §8.2.2] */
const CONNECTION_FIELDS = new Set([
  'connection',
  'keep-alive',
  'proxy-connection',
  'transfer-encoding',
  'upgrade',
])
/** What may not stand in a name: control characters, blanks, capital letters, colons, and all past ASCII. [RFC 9113 §8.2.1] */
const NOT_IN_NAMES = /[^!-9;-@[-~]/
/** What may not stand in a value. [RFC 9113 §8.2.1] */
const NOT_IN_VALUES = /[\0\r\n]/
const COLON = 0x3a
/** What Apple answers with, which need not be looked at again. */
const KNOWN_NAMES = new Set(['apns-id', 'apns-unique-id', 'content-type', 'date', 'server'])
const STATUS = /^[1-9]\d\d$/
const CONTENT_LENGTH = /^\d{1,15}$/

/** Values by name in lower case; those of a field that is repeated are joined by `, `. */
export type AnswerFieldValues = Readonly<Record<string, string | undefined>>

/**
 * Collects the fields of one header block of an answer at a time, and holds them to what HTTP/2 allows. Only those are
 * kept that its owner has a use for: most answers then cost no object. [RFC 9113 §8.2, §8.3]
 */
export class AnswerFields {
  /** 100 to 999; 0 where there is no `:status`, as in trailers. */
  status = 0
  /** What the body is said to have; -1 where nothing is said. */
  contentLength = -1
  #kept: Record<string, string> | null = null
  #hasRegular = false
  #fault = ''
  readonly #keep: { has(name: string): boolean }

  /** @param keep the names to keep, in lower case. */
  constructor(keep: { has(name: string): boolean }) {
    this.#keep = keep
  }

  /** Those that were kept; null: none. They are the taker's: the next block gets an object of its own. */
  get kept(): AnswerFieldValues | null {
    return this.#kept
  }

  /** Begins the next block. */
  clear(): void {
    this.status = 0
    this.contentLength = -1
    this.#kept = null
    this.#hasRegular = false
    this.#fault = ''
  }

  /** Takes the next field. */
  add(name: string, value: string): void {
    if (name.charCodeAt(0) === COLON) this.#addPseudo(name, value)
    else this.#addRegular(name, value)
  }

  /** @throws {Http2Error} PROTOCOL_ERROR, for the stream, where a field was out of place. */
  check(streamId: number): void {
    if (this.#fault !== '') throw new Http2Error(PROTOCOL_ERROR, this.#fault, streamId)
  }

  #addPseudo(name: string, value: string): void {
    if (name !== ':status') this.#fault ||= 'a pseudo-header field other than :status in an answer'
    else if (this.#hasRegular) this.#fault ||= ':status behind other fields'
    else if (this.status !== 0) this.#fault ||= ':status twice'
    else if (!STATUS.test(value)) this.#fault ||= ':status is no status'
    else this.status = Number(value)
  }

  #addRegular(name: string, value: string): void {
    this.#hasRegular = true
    if (!KNOWN_NAMES.has(name)) this.#checkName(name, value)
    if (NOT_IN_VALUES.test(value))
      this.#fault ||= 'a field with a line break or a zero in its value'
    if (this.#keep.has(name)) this.#keepValue(name, value)
  }

  #keepValue(name: string, value: string): void {
    this.#kept ??= {}
    // its own: a peer may well name a field `constructor`
    const isRepeated = Object.hasOwn(this.#kept, name)
    this.#kept[name] = isRepeated ? `${this.#kept[name]}, ${value}` : value
  }

  #checkName(name: string, value: string): void {
    if (name === 'content-length') this.#setContentLength(value)
    else if (name === '' || NOT_IN_NAMES.test(name))
      this.#fault ||= 'a field whose name HTTP/2 does not allow'
    else if (CONNECTION_FIELDS.has(name))
      this.#fault ||= `the field ${name}, which HTTP/2 has no use for`
  }

  #setContentLength(value: string): void {
    const isFirst = this.contentLength === -1 || this.contentLength === Number(value)
    if (!isFirst || !CONTENT_LENGTH.test(value)) this.#fault ||= 'content-length is no length'
    else this.contentLength = Number(value)
  }
}
