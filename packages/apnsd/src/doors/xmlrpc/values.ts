/**
 * What XML-RPC can say, as JavaScript has it.
 *
 * `int`, `i4` and `i8` are a number, or a bigint where a number would lose digits (past 2^53); `double` is a number;
 * `nil` is null. Dates and base64 are classes of their own, because JSON has neither and a payload must not hold them.
 */
export type XmlRpcValue =
  | null
  | boolean
  | number
  | bigint
  | string
  | DateTime
  | Base64
  | XmlRpcValue[]
  | XmlRpcStruct

/** A struct; see {@link newStruct} for what such an object inherits: nothing. */
export interface XmlRpcStruct {
  [name: string]: XmlRpcValue
}

/** A `dateTime.iso8601`, to the second. XML-RPC gives it no zone; we read and write UTC. */
export class DateTime {
  /** Seconds since the epoch. */
  readonly epochS: number

  constructor(epochS: number) {
    this.epochS = epochS
  }
}

/** A `base64`. */
export class Base64 {
  readonly bytes: Uint8Array

  constructor(bytes: Uint8Array) {
    this.bytes = bytes
  }
}

/**
 * Makes objects that inherit no member, so that `__proto__` and `constructor` are names like any other.
 *
 * Not `Object.create(null)`: V8 keeps those as hash tables, and filling and stringifying a usual payload of three such
 * objects takes 1.5 µs against 0.9 µs (Node 24.21). Node's own query strings are made this way.
 */
const Struct = function Struct() {} as unknown as new () => XmlRpcStruct
Struct.prototype = Object.create(null)

/** Makes an empty struct, whose members keep the order in which they were set (names like `7` come first: V8's rule). */
export function newStruct(): XmlRpcStruct {
  return new Struct()
}

/** Tells a struct from all other values. */
export function isStruct(value: XmlRpcValue): value is XmlRpcStruct {
  return (
    typeof value === 'object' &&
    value !== null &&
    !Array.isArray(value) &&
    !(value instanceof DateTime) &&
    !(value instanceof Base64)
  )
}

/** Names a value's type as XML-RPC does, with its article, for sentences: `an array`, `a dateTime.iso8601`. */
export function nameType(value: XmlRpcValue): string {
  if (value === null) return 'nil'
  if (value instanceof DateTime) return 'a dateTime.iso8601'
  if (value instanceof Base64) return 'a base64'
  if (Array.isArray(value)) return 'an array'
  if (typeof value === 'string') return 'a string'
  if (typeof value === 'boolean') return 'a boolean'
  if (typeof value === 'object') return 'a struct'
  return typeof value === 'bigint' || Number.isInteger(value) ? 'an int' : 'a double'
}
