import assert from 'node:assert/strict'
import { Duplex } from 'node:stream'
import type { TLSSocket } from 'node:tls'
import type { FrameHandler } from './frame-handler.ts'
import { DEFAULT_FRAME_READER_LIMITS, FrameReader } from './frame-reader.ts'
import { FrameRecorder } from './frame-recorder.ts'
import { FLAG_END_HEADERS, FLAG_END_STREAM, FRAME_HEADER_BYTES, HEADERS } from './frame-types.ts'
import { FrameWriter } from './frame-writer.ts'
import type { HeaderFields } from './header-fields.ts'
import { HpackDecoder } from './hpack/decoder.ts'
import { HpackEncoder } from './hpack/encoder.ts'
import { ConstantField, FieldName, maxFieldBytes } from './hpack/fields.ts'
import { encodeInteger } from './hpack/integer.ts'
import { RequestStream } from './request-stream.ts'
import { Http2Session, type SessionEvents } from './session.ts'
import { encodeUint24, encodeUint32 } from './uint.ts'
import { WriteBuffer } from './write-buffer.ts'

const PREFACE = 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'
/** What the peer may announce as its MAX_FRAME_SIZE at most. */
export const MAX_OWN_FRAME_BYTES = 65_536
export type FieldRecord = Readonly<Record<string, string>>

/** What a request ended in, as the tests compare it. */
export type RecordedEnd =
  | {
      readonly type: 'answer'
      readonly answer: { status: number; fields: Record<string, string | undefined>; body: string }
    }
  | { readonly type: 'notProcessed' | 'inDoubt'; readonly cause: string }

export class RecordedStream extends RequestStream {
  readonly #onEnd: (end: RecordedEnd) => void

  constructor(onEnd: (end: RecordedEnd) => void) {
    super()
    this.#onEnd = onEnd
  }

  record(end: 'answered' | 'notProcessed' | 'inDoubt', cause: string): void {
    const { status, fields, body } = this
    if (end === 'answered')
      this.#onEnd({ type: 'answer', answer: { status, fields: fields ?? {}, body } })
    else this.#onEnd({ type: end, cause })
  }
}

/** Fields as they stand in a record, each a constant of the connection. */
class RecordFields implements HeaderFields {
  maxBytes = 0
  readonly #constants = new Map<string, ConstantField>()
  #fields: ConstantField[] = []

  set(record: FieldRecord): this {
    const entries = Object.entries(record)
    this.#fields = entries.map(([name, value]) => this.#constantOf(name, value))
    this.maxBytes = entries.reduce((sum, [n, v]) => sum + maxFieldBytes(n.length, v.length), 0)
    return this
  }

  #constantOf(name: string, value: string): ConstantField {
    const key = `${name}: ${value}`
    const constant = this.#constants.get(key) ?? new ConstantField(new FieldName(name), value)
    this.#constants.set(key, constant)
    return constant
  }

  encode(hpack: HpackEncoder, target: Buffer, at: number): number {
    for (const field of this.#fields) at = hpack.encodeConstant(target, at, field)
    return at
  }
}

/** The session says these before anything else. */
export const OPENING = ['SETTINGS 1=0 2=0 6=32768', 'WINDOW_UPDATE 0 983041']

/** Stands in for the socket: what the session writes goes to the peer, and the other way round. */
class PeerSocket extends Duplex {
  alpnProtocol: string | false = 'h2'
  onWritten: (bytes: Buffer) => void = () => undefined
  /** The peer reads nothing: no write is ever done. */
  isStuck = false

  setNoDelay(): this {
    return this
  }

  override _read(): void {}

  override _write(bytes: Buffer, _encoding: string, done: () => void): void {
    this.onWritten(bytes)
    if (!this.isStuck) done()
  }

  destroySoon(): void {
    this.end(() => this.destroy())
  }
}

/** For tests: a server that says what the test tells it to, and writes down each frame that the session sends. */
export class ScriptedPeer {
  readonly session: Http2Session<RecordedStream>
  readonly socket = new PeerSocket()
  /** What came from the session since the last {@link take}, a line a frame; fields of HEADERS decoded. */
  readonly #recorder = new FrameRecorder()
  readonly #decoder = new HpackDecoder({ maxTableBytes: 4096, maxHeaderListBytes: 65_536 })
  readonly #reader: FrameReader
  readonly #buffer = new WriteBuffer()
  readonly #writer = new FrameWriter(this.#buffer, { maxFrameBytes: 16_384 })
  readonly #hpack = new HpackEncoder(0)
  readonly #fields = new RecordFields()
  readonly told: string[] = []
  /** Called with each line that is added to {@link told}. */
  onTold: (line: string) => void = () => undefined
  /** Called with each piece of what the peer sends. */
  onSent: (bytes: Uint8Array) => void = () => undefined
  #preface = ''

  constructor({ firstStreamId = 1 } = {}) {
    const recorder = this.#recorder
    const decoder = this.#decoder
    const handler: FrameHandler = {
      data: (...frame) => recorder.data(...frame),
      headers: (streamId, bytes, start, end, endStream) => {
        const fields: string[] = []
        decoder.decode(bytes, start, end, (name, value) => fields.push(`${name}=${value}`))
        recorder.events.push(
          `HEADERS ${streamId} ${fields.join(' ')} (${end - start})${endStream ? ' END_STREAM' : ''}`,
        )
      },
      rstStream: (...frame) => recorder.rstStream(...frame),
      settings: (settings) => recorder.settings(settings),
      settingsAck: () => recorder.settingsAck(),
      ping: (...frame) => recorder.ping(...frame),
      goaway: (...frame) => recorder.goaway(...frame),
      windowUpdate: (...frame) => recorder.windowUpdate(...frame),
      streamError: (error) => recorder.streamError(error),
    }
    this.#reader = new FrameReader(handler, {
      ...DEFAULT_FRAME_READER_LIMITS,
      maxFrameBytes: MAX_OWN_FRAME_BYTES,
      maxHeaderBlockBytes: 65_536,
    })
    this.socket.onWritten = (bytes) => this.#onWritten(bytes)
    const events: SessionEvents<RecordedStream> = {
      settings: (limit) => this.#tell(`settings ${limit}`),
      ended: (stream, end, cause) => stream.record(end, cause),
      read: () => undefined,
      goaway: (errorCode, last, debugData) =>
        this.#tell(`goaway ${errorCode} ${last} ${debugData}`),
      closed: (cause) => this.#tell(`closed ${cause?.message ?? ''}`.trim()),
    }
    this.session = new Http2Session(this.socket as unknown as TLSSocket, events, {
      keepFields: { has: () => true },
      firstStreamId,
    })
  }

  /** Exchanges SETTINGS, and forgets the frames of it. */
  open(...settings: (readonly [number, number])[]): this {
    this.send((writer) => writer.settings(settings))
    this.take()
    return this
  }

  /** Sends what `write` writes, and lets the session read it now. */
  send(write: (writer: FrameWriter) => void): void {
    write(this.#writer)
    this.sendBytes(this.#buffer.take())
  }

  sendBytes(bytes: Uint8Array): void {
    this.onSent(bytes)
    this.socket.emit('data', Buffer.from(bytes))
  }

  /** Sends HEADERS with these fields, as literals. */
  headers(streamId: number, fields: FieldRecord | [string, string][], endStream: boolean): void {
    const pairs = Array.isArray(fields) ? fields : Object.entries(fields)
    this.send((writer) => {
      let at = writer.startHeaders(streamId, 4096)
      at = this.#hpack.beginBlock(this.#buffer.bytes, at)
      for (const [name, value] of pairs)
        at = this.#hpack.encodeVarying(this.#buffer.bytes, at, new FieldName(name), value)
      writer.endHeaders(at, endStream)
    })
  }

  /** Sends HEADERS with a block that the test has encoded itself, for what {@link headers} cannot say. */
  block(streamId: number, endStream: boolean, ...block: Uint8Array[]): void {
    const flags = FLAG_END_HEADERS | (endStream ? FLAG_END_STREAM : 0)
    this.sendBytes(encodeFrame(HEADERS, flags, streamId, Buffer.concat(block)))
  }

  /** Sends DATA. */
  data(streamId: number, text: string, endStream: boolean): void {
    const payload = Buffer.from(text, 'latin1')
    this.send((writer) => writer.data(streamId, payload, 0, payload.length, endStream))
  }

  /** Gives the frames that came since the last time. What the session has yet to flush is flushed first. */
  async sent(): Promise<string[]> {
    await new Promise((resolve) => setImmediate(resolve))
    return this.take()
  }

  take(): string[] {
    return this.#recorder.events.splice(0)
  }

  /** Has the session send a request; its ends are written down in the array. */
  request(payload: string | Uint8Array = '{}', fields: FieldRecord = FIELDS): RecordedEnd[] {
    const ends: RecordedEnd[] = []
    this.startRequest((end) => ends.push(end), payload, fields)
    return ends
  }

  /** Has the session send a request. @returns its stream; null where the session takes none, and it has ended */
  startRequest(
    onEnd: (end: RecordedEnd) => void,
    payload: string | Uint8Array = '{}',
    fields: FieldRecord = FIELDS,
  ): RecordedStream | null {
    if (!this.session.isOpen) {
      onEnd({ type: 'notProcessed', cause: 'the session takes no request' })
      return null
    }
    const stream = new RecordedStream(onEnd)
    this.session.request(stream, this.#fields.set(fields), payload)
    return stream
  }

  #onWritten(bytes: Buffer): void {
    const start = Math.min(PREFACE.length - this.#preface.length, bytes.length)
    this.#preface += bytes.toString('latin1', 0, start)
    assert.ok(PREFACE.startsWith(this.#preface), `the preface is ${this.#preface}`)
    this.#reader.read(bytes.subarray(start))
  }

  #tell(line: string): void {
    this.told.push(line)
    this.onTold(line)
  }
}

/** For tests: a frame of any type, right or wrong. */
export function encodeFrame(
  type: number,
  flags: number,
  streamId: number,
  payload: Uint8Array = new Uint8Array(0),
): Buffer {
  const frame = Buffer.alloc(FRAME_HEADER_BYTES + payload.length)
  encodeUint24(frame, 0, payload.length)
  frame[3] = type
  frame[4] = flags
  encodeUint32(frame, 5, streamId)
  frame.set(payload, FRAME_HEADER_BYTES)
  return frame
}

/** For tests: a field that the session is to insert into its table; index 62 names it from then on, until the next. */
export function encodeInserted(name: string, value: string): Buffer {
  const field = Buffer.alloc(16 + name.length + value.length, 0)
  field[0] = 0x40
  let at = 1
  for (const text of [name, value]) {
    at = encodeInteger(field, at, 0, 7, text.length)
    at += field.write(text, at, 'latin1')
  }
  return field.subarray(0, at)
}

export const FIELDS: FieldRecord = {
  ':method': 'POST',
  ':path': '/3/device/ab',
  'apns-topic': 'a.b',
}

export const OK: FieldRecord = { ':status': '200' }

/** A peer that has exchanged SETTINGS. */
export const openPeer = (...settings: (readonly [number, number])[]): ScriptedPeer =>
  new ScriptedPeer().open(...settings)

export const typesOf = (ends: readonly { readonly type: string }[]): string[] =>
  ends.map(({ type }) => type)

/** How many bytes each DATA frame had, of what a session sent. */
export const dataBytes = (frames: readonly string[]): number[] =>
  frames
    .filter((frame) => frame.startsWith('DATA'))
    .map((frame) => (/\[(.*)\]/.exec(frame)?.[1] ?? '').replaceAll(' ', '').length / 2)
