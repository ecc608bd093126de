import { Http2Error, PROTOCOL_ERROR } from './errors.ts'

/** Fields that speak of a connection have no place in HTTP/2. [RFC 9113 §8.2.2] */
const CONNECTION_FIELDS = new Set([
  'connection',
  'keep-alive',
  'proxy-connection',
  'transfer-encoding',
  'upgrade',
])
const UPPER_CASE = /[A-Z]/
const COLON = 0x3a
/** What Apple answers with, which need not be looked at again. */
const KNOWN_NAMES = new Set(['apns-id', 'apns-unique-id', 'content-type', 'date', 'server'])
const STATUS = /^[1-9]\d\d$/

/** Collects the fields of one header block of an answer, and holds them to what HTTP/2 allows. [RFC 9113 §8.2, §8.3] */
export class AnswerFields {
  /** 100 to 999; 0 where there is no `:status`, as in trailers. */
  status = 0
  /** Regular fields; the values of one that is repeated are joined by `, `. */
  readonly fields: Record<string, string> = {}
  #hasRegular = false
  #fault = ''

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
    if (name !== ':status')
      this.#fault ||= `the pseudo-header field ${name.slice(0, 40)} in an answer`
    else if (this.#hasRegular) this.#fault ||= ':status behind other fields'
    else if (this.status !== 0) this.#fault ||= ':status twice'
    else if (!STATUS.test(value)) this.#fault ||= ':status is no status'
    else this.status = Number(value)
  }

  #addRegular(name: string, value: string): void {
    this.#hasRegular = true
    if (!KNOWN_NAMES.has(name)) this.#checkName(name)
    // its own: a peer may well name a field `constructor`
    const isRepeated = Object.hasOwn(this.fields, name)
    this.fields[name] = isRepeated ? `${this.fields[name]}, ${value}` : value
  }

  #checkName(name: string): void {
    if (name === '' || UPPER_CASE.test(name))
      this.#fault ||= 'a field whose name is not in lower case'
    else if (CONNECTION_FIELDS.has(name))
      this.#fault ||= `the field ${name}, which HTTP/2 has no use for`
  }
}
