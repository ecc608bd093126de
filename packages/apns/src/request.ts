import type { HeaderFields } from './http2/header-fields.ts'
import type { HpackEncoder } from './http2/hpack/encoder.ts'
import { ConstantField, FieldName, maxFieldBytes } from './http2/hpack/fields.ts'
import type { PushType } from './push-types.ts'

/** A notification as it goes to Apple, every header decided. */
export interface ApnsNotification {
  /** Lower-case hex, no blanks. */
  readonly deviceToken: string
  /** The JSON body, UTF-8. */
  readonly payload: string | Uint8Array
  /** The whole topic, push type's suffix included. */
  readonly topic: string
  readonly pushType: PushType
  /** 10 at once, 5 with regard to the device's power, 1 power before all; absent: Apple takes 10. */
  readonly priority?: 10 | 5 | 1 | undefined
  /** UNIX seconds; 0: one attempt, never stored; absent: Apple's own storage policy, at most 30 days. */
  readonly expirationEpochS?: number | undefined
  /** At most 64 bytes. */
  readonly collapseId?: string | undefined
  /** Canonical UUID, lower case. */
  readonly apnsId: string
}

const PATH_START = '/3/device/'
/** Apple's device tokens are 64 digits; it says that they may become longer. */
const MAX_DEVICE_TOKEN_CHARACTERS = 512
const UUID_CHARACTERS = 36
/** Where a UUID has its hyphens. */
const UUID_HYPHENS = [8, 13, 18, 23]
const HYPHEN = 0x2d
/** What a field can hold and Apple's fields have: printable ASCII. */
const TEXT = /^[\x20-\x7e]{1,256}$/
const MAX_COLLAPSE_ID_BYTES = 64
const CONTROL_CHARACTER = /\p{Cc}/u
/** Values of one field that take turns on a connection: an app has about ten topics. */
const MAX_CONSTANTS = 16

/**
 * Finds what makes a notification impossible to send: header fields that are none. What Apple would refuse is left to
 * Apple.
 * @returns a sentence, without any of the values; null: it can be sent
 */
export function findFault(notification: ApnsNotification): string | null {
  const { deviceToken, topic, pushType, apnsId, expirationEpochS, collapseId } = notification
  if (!isDeviceToken(deviceToken)) return 'the device token is not hexadecimal'
  if (!isUuid(apnsId)) return 'the apns-id is no UUID'
  if (!isText(topic)) return 'the topic is no text of printable ASCII characters'
  if (!isText(pushType)) return 'the push type is no text of printable ASCII characters'
  if (
    expirationEpochS !== undefined &&
    !(Number.isSafeInteger(expirationEpochS) && expirationEpochS >= 0)
  )
    return 'the expiration is not a whole number of seconds since 1970'
  if (collapseId !== undefined && Buffer.byteLength(collapseId) > MAX_COLLAPSE_ID_BYTES)
    return 'the collapse identifier is longer than 64 bytes'
  if (collapseId !== undefined && (collapseId === '' || CONTROL_CHARACTER.test(collapseId)))
    return 'the collapse identifier is empty or holds a control character'
  return null
}

/** 1 for the codes of hexadecimal digits. A regular expression took 430 ns for a device token, this 60, Node 24. */
const IS_HEX_DIGIT = new Uint8Array(128)
for (const digit of '0123456789abcdefABCDEF') IS_HEX_DIGIT[digit.charCodeAt(0)] = 1

function isHex(text: string, start: number, end: number): boolean {
  for (let at = start; at < end; at += 1) if (IS_HEX_DIGIT[text.charCodeAt(at)] !== 1) return false
  return true
}

function isDeviceToken(text: string): boolean {
  const { length } = text
  return length > 0 && length <= MAX_DEVICE_TOKEN_CHARACTERS && isHex(text, 0, length)
}

function isUuid(text: string): boolean {
  if (text.length !== UUID_CHARACTERS) return false
  let start = 0
  for (const hyphen of UUID_HYPHENS) {
    if (!isHex(text, start, hyphen) || text.charCodeAt(hyphen) !== HYPHEN) return false
    start = hyphen + 1
  }
  return isHex(text, start, UUID_CHARACTERS)
}

/** The latest text that was one: topics and push types mostly are the very same string as before. */
const knownTexts = ['', '']

function isText(text: string): boolean {
  if (text === knownTexts[0] || text === knownTexts[1]) return text !== ''
  if (!TEXT.test(text)) return false
  knownTexts[1] = knownTexts[0]!
  knownTexts[0] = text
  return true
}

/** Header fields are octets: those of UTF-8, as a character each. */
const octetsOf = (text: string): string =>
  TEXT.test(text) ? text : Buffer.from(text, 'utf8').toString('latin1')

/** The values of one field that take turns, each one byte on the wire once it was sent. */
class ConstantValues {
  readonly #name: FieldName
  readonly #values = new Map<string, ConstantField>()
  #last: ConstantField
  #lastValue: string

  constructor(name: string, value: string) {
    this.#name = new FieldName(name)
    this.#last = new ConstantField(this.#name, value)
    this.#lastValue = value
    this.#values.set(value, this.#last)
  }

  get(value: string): ConstantField {
    // mostly the very same string, which costs no hashing to compare
    if (value === this.#lastValue) return this.#last
    let constant = this.#values.get(value)
    if (constant === undefined) {
      constant = new ConstantField(this.#name, value)
      if (this.#values.size >= MAX_CONSTANTS) this.#values.clear()
      this.#values.set(value, constant)
    }
    this.#last = constant
    this.#lastValue = value
    return constant
  }
}

/**
 * The header fields of one connection's requests, one request at a time: `set`, then the session encodes them.
 *
 * What is the same in many requests stands in the peer's table; `:path`, `apns-id`, `apns-expiration` and
 * `apns-collapse-id` are another each time and are written out.
 *
 * @see Apple, "Sending notification requests to APNs"
 */
export class RequestFields implements HeaderFields {
  maxBytes = 0
  readonly #method = new ConstantField(new FieldName(':method'), 'POST')
  readonly #scheme = new ConstantField(new FieldName(':scheme'), 'https')
  readonly #authority: ConstantField
  readonly #path = new FieldName(':path')
  readonly #authorizations = new ConstantValues('authorization', '')
  readonly #topics = new ConstantValues('apns-topic', '')
  readonly #pushTypes = new ConstantValues('apns-push-type', '')
  readonly #priorities = new ConstantValues('apns-priority', '10')
  readonly #apnsId = new FieldName('apns-id')
  readonly #expiration = new FieldName('apns-expiration')
  readonly #collapseId = new FieldName('apns-collapse-id')
  readonly #fixedBytes: number
  // of the request in hand
  #deviceToken = ''
  #id = ''
  #expirationValue: string | null = null
  #collapseIdValue: string | null = null
  #authorization: ConstantField | null = null
  #topic: ConstantField
  #pushType: ConstantField
  #priority: ConstantField | null = null

  /** @param authority the URL's host, with its port where that is not 443 */
  constructor(authority: string) {
    this.#authority = new ConstantField(new FieldName(':authority'), authority)
    this.#topic = this.#topics.get('')
    this.#pushType = this.#pushTypes.get('')
    const { length } = PATH_START
    this.#fixedBytes = maxFieldBytes(80, authority.length + length) + 12 * maxFieldBytes(16, 16)
  }

  /**
   * Takes the next request's values, in which {@link findFault} finds none.
   * @param authorization the provider token's field; null on a connection that showed a certificate
   */
  set(notification: ApnsNotification, authorization: string | null): void {
    const { deviceToken, topic, pushType, priority, apnsId, expirationEpochS, collapseId } =
      notification
    this.#authorization = authorization === null ? null : this.#authorizations.get(authorization)
    this.#topic = this.#topics.get(topic)
    this.#pushType = this.#pushTypes.get(pushType)
    this.#priority = priority === undefined ? null : this.#priorities.get(String(priority))
    this.#deviceToken = deviceToken
    this.#id = apnsId
    this.#expirationValue = expirationEpochS === undefined ? null : String(expirationEpochS)
    this.#collapseIdValue = collapseId === undefined ? null : octetsOf(collapseId)
    this.maxBytes =
      this.#fixedBytes +
      deviceToken.length +
      apnsId.length +
      topic.length +
      pushType.length +
      (authorization?.length ?? 0) +
      (this.#collapseIdValue?.length ?? 0)
  }

  encode(hpack: HpackEncoder, target: Buffer, at: number): number {
    at = hpack.encodeConstant(target, at, this.#method)
    at = hpack.encodeConstant(target, at, this.#scheme)
    at = hpack.encodeConstant(target, at, this.#authority)
    at = hpack.encodeVarying(target, at, this.#path, PATH_START, this.#deviceToken)
    if (this.#authorization !== null) at = hpack.encodeConstant(target, at, this.#authorization)
    at = hpack.encodeConstant(target, at, this.#topic)
    at = hpack.encodeConstant(target, at, this.#pushType)
    at = hpack.encodeVarying(target, at, this.#apnsId, this.#id)
    if (this.#priority !== null) at = hpack.encodeConstant(target, at, this.#priority)
    if (this.#expirationValue !== null)
      at = hpack.encodeVarying(target, at, this.#expiration, this.#expirationValue)
    if (this.#collapseIdValue !== null)
      at = hpack.encodeVarying(target, at, this.#collapseId, this.#collapseIdValue)
    return at
  }
}
