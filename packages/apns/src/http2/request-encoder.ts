import type { FrameWriter } from './frame-writer.ts'
import { HpackEncoder } from './hpack/encoder.ts'
import { ConstantField, FieldName, MAX_BLOCK_START_BYTES, maxFieldBytes } from './hpack/fields.ts'
import type { WriteBuffer } from './write-buffer.ts'

/** Header fields of a request in the order they are written, pseudo-header fields first; ASCII, names in lower case. */
export type RequestFields = Readonly<Record<string, string>>

/** Fields that are another each time: an entry for every value would only push out the others. */
const VARYING = new Set([':path', 'apns-id', 'apns-expiration', 'apns-collapse-id'])
/** Values of one field that take turns on a connection: an app has about ten topics. */
const MAX_CONSTANTS_PER_NAME = 16

/** What is known of one field name. */
interface Slot {
  readonly name: FieldName
  readonly isVarying: boolean
  /** By value; emptied when it is full. */
  readonly constants: Map<string, ConstantField>
  /** The latest value: mostly the very same string, which costs no hashing to compare. */
  lastValue: string | null
  last: ConstantField | null
}

/** Writes the HEADERS of requests: fields that repeat become a byte each, as long as the peer's table holds them. */
export class RequestEncoder {
  readonly #buffer: WriteBuffer
  readonly #writer: FrameWriter
  readonly #hpack = new HpackEncoder()
  /** By name; the names are ours, some ten. */
  readonly #slots = new Map<string, Slot>()

  constructor(buffer: WriteBuffer, writer: FrameWriter) {
    this.#buffer = buffer
    this.#writer = writer
  }

  /** Follows the peer's SETTINGS_HEADER_TABLE_SIZE. */
  setPeerMaxTableBytes(bytes: number): void {
    this.#hpack.setPeerMaxTableBytes(bytes)
  }

  /**
   * Writes HEADERS, and CONTINUATION where they do not fit.
   * @throws {RangeError} for a field that is shared and holds characters past 255; nothing was written then.
   */
  write(streamId: number, fields: RequestFields, endStream: boolean): void {
    let maxBytes = MAX_BLOCK_START_BYTES
    for (const name in fields) {
      const value = fields[name]!
      maxBytes += maxFieldBytes(name.length, value.length)
      // it may throw, which it must not once the block is started: no other could ever be
      const slot = this.#slotOf(name)
      if (!slot.isVarying) constantOf(slot, value)
    }
    let at = this.#writer.startHeaders(streamId, maxBytes)
    const { bytes } = this.#buffer
    at = this.#hpack.beginBlock(bytes, at)
    for (const name in fields) {
      const slot = this.#slotOf(name)
      const value = fields[name]!
      at = slot.isVarying
        ? this.#hpack.encodeVarying(bytes, at, slot.name, value)
        : this.#hpack.encodeConstant(bytes, at, constantOf(slot, value))
    }
    this.#writer.endHeaders(at, endStream)
  }

  #slotOf(name: string): Slot {
    let slot = this.#slots.get(name)
    if (slot === undefined) {
      slot = {
        name: new FieldName(name),
        isVarying: VARYING.has(name),
        constants: new Map(),
        lastValue: null,
        last: null,
      }
      this.#slots.set(name, slot)
    }
    return slot
  }
}

function constantOf(slot: Slot, value: string): ConstantField {
  if (slot.last !== null && slot.lastValue === value) return slot.last
  const { name, constants } = slot
  let constant = constants.get(value)
  if (constant === undefined) {
    if (constants.size >= MAX_CONSTANTS_PER_NAME) constants.clear()
    constant = new ConstantField(name, value)
    constants.set(value, constant)
  }
  slot.lastValue = value
  slot.last = constant
  return constant
}
