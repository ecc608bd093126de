import { ApnsdError } from '../../base/errors.ts'
import { Base64, DateTime } from './values.ts'

/** The elements that hold a scalar as text. `nil` holds nothing. */
export type ScalarType =
  | 'int'
  | 'i8'
  | 'boolean'
  | 'string'
  | 'double'
  | 'dateTime'
  | 'base64'
  | 'nil'

export type Scalar = null | boolean | number | bigint | string | DateTime | Base64

const SPACE = 0x20
const PLUS = 0x2b
const MINUS = 0x2d
const DIGIT_0 = 0x30
const DIGIT_9 = 0x39
/** So many digits always fit a number. */
const SAFE_DIGITS = 15
/** More digits than any 64-bit integer has, leading zeros included: refused before they cost anything. */
const MOST_DIGITS = 100

/**
 * Reads the text of a scalar's element. White space around it is ignored, except in a string, where it is content.
 * @throws {ApnsdError} malformed-request, without the text itself: it may be part of a payload.
 */
export function parseScalar(type: ScalarType, text: string): Scalar {
  switch (type) {
    case 'string':
      return text
    case 'int':
      return parseInt32(trimBlanks(text))
    case 'i8':
      return parseInt64(trimBlanks(text))
    case 'boolean':
      return parseBoolean(trimBlanks(text))
    case 'double':
      return parseDouble(trimBlanks(text))
    case 'dateTime':
      return parseDateTime(trimBlanks(text))
    case 'base64':
      return parseBase64(text)
    case 'nil':
    default:
      return parseNil(text)
  }
}

/** True where a text is white space as XML has it, or nothing. */
export function isBlank(text: string): boolean {
  for (let i = 0; i < text.length; i++) {
    // saxes has refused the other control characters, unless a character reference in XML 1.1 brought them in
    if (text.charCodeAt(i) > SPACE) return false
  }
  return true
}

function trimBlanks(text: string): string {
  const last = text.length - 1
  if (last < 0) return text
  return text.charCodeAt(0) > SPACE && text.charCodeAt(last) > SPACE ? text : text.trim()
}

function parseInt32(text: string): number {
  const value = parseInteger(text, 'int')
  if (typeof value === 'bigint' || value < -0x8000_0000 || value > 0x7fff_ffff) {
    throw new ApnsdError('malformed-request', 'an int is outside of 32 bits', {
      hint: 'Larger integers go into an i8.',
    })
  }
  return value
}

function parseInt64(text: string): number | bigint {
  const value = parseInteger(text, 'i8')
  if (typeof value === 'bigint' && BigInt.asIntN(64, value) !== value) {
    throw new ApnsdError('malformed-request', 'an i8 is outside of 64 bits')
  }
  return value
}

function parseInteger(text: string, type: string): number | bigint {
  const sign = text.charCodeAt(0)
  const start = sign === MINUS || sign === PLUS ? 1 : 0
  let value = 0
  for (let i = start; i < text.length; i++) {
    const code = text.charCodeAt(i)
    if (code < DIGIT_0 || code > DIGIT_9) refuseInteger(type)
    value = value * 10 + (code - DIGIT_0)
  }
  const digits = text.length - start
  if (digits === 0 || digits > MOST_DIGITS) refuseInteger(type)
  if (digits > SAFE_DIGITS) return exactInteger(text, sign === PLUS ? 1 : 0)
  // `0 - value`, not `-value`: there is no minus nought among integers
  return sign === MINUS ? 0 - value : value
}

function exactInteger(text: string, from: number): number | bigint {
  const exact = BigInt(text.slice(from))
  const number = Number(exact)
  return Number.isSafeInteger(number) ? number : exact
}

function refuseInteger(type: string): never {
  throw new ApnsdError('malformed-request', `the text of an <${type}> is not a whole number`)
}

function parseBoolean(text: string): boolean {
  if (text === '1') return true
  if (text === '0') return false
  throw new ApnsdError('malformed-request', 'a <boolean> is neither 0 nor 1')
}

const DOUBLE = /^[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?$/
/** What Python's client writes for floats that XML-RPC has no word for. */
const NOT_FINITE = /^([+-]?)(?:(nan)|inf(?:inity)?)$/i

function parseDouble(text: string): number {
  if (DOUBLE.test(text)) return Number(text)
  const match = NOT_FINITE.exec(text)
  if (match === null) {
    throw new ApnsdError('malformed-request', 'the text of a <double> is not a number')
  }
  if (match[2] !== undefined) return Number.NaN
  return match[1] === '-' ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY
}

/** `20231114T22:13:20`, the date also with hyphens, as some clients have it; a `Z` says what holds anyway. */
const DATE_TIME = /^(\d{4})(-?)(\d\d)\2(\d\d)T(\d\d):(\d\d):(\d\d)Z?$/

function parseDateTime(text: string): DateTime {
  const [, year, , month, day, hour, minute, second] = DATE_TIME.exec(text) ?? []
  const iso = `${year}-${month}-${day}T${hour}:${minute}:${second}.000Z`
  const timeMs = Date.parse(iso)
  // Date.parse takes 30 February for 1 March: only what comes back unchanged was a date
  if (Number.isNaN(timeMs) || new Date(timeMs).toISOString() !== iso) {
    throw new ApnsdError(
      'malformed-request',
      'the text of a <dateTime.iso8601> is not a time of the form YYYYMMDDTHH:MM:SS',
    )
  }
  return new DateTime(timeMs / 1000)
}

const BASE64 = /^[A-Za-z0-9+/]*={0,2}$/

function parseBase64(text: string): Base64 {
  const digits = text.replace(/[ \t\r\n]+/g, '')
  if (digits.length % 4 !== 0 || !BASE64.test(digits)) {
    throw new ApnsdError('malformed-request', 'the text of a <base64> is not base64')
  }
  return new Base64(new Uint8Array(Buffer.from(digits, 'base64')))
}

function parseNil(text: string): null {
  if (isBlank(text)) return null
  throw new ApnsdError('malformed-request', 'a <nil> must be empty')
}
