import { Duplex } from 'node:stream'
import type { TLSSocket } from 'node:tls'
import { FrameReader } from './frame-reader.ts'
import { FrameRecorder } from './frame-recorder.ts'
import { FrameWriter } from './frame-writer.ts'
import { HpackDecoder } from './hpack/decoder.ts'
import { HpackEncoder } from './hpack/encoder.ts'
import { FieldName } from './hpack/fields.ts'
import type { RequestFields } from './request-encoder.ts'
import type { StreamEnd } from './request-stream.ts'
import { Http2Session } from './session.ts'
import { WriteBuffer } from './write-buffer.ts'

const PREFACE_BYTES = 24
/** The session says these before anything else. */
export const OPENING = ['SETTINGS 1=0 2=0 6=32768', 'WINDOW_UPDATE 0 983041']

/** Stands in for the socket: what the session writes goes to the peer, and the other way round. */
class PeerSocket extends Duplex {
  alpnProtocol: string | false = 'h2'
  onWritten: (bytes: Buffer) => void = () => undefined

  setNoDelay(): this {
    return this
  }

  override _read(): void {}

  override _write(bytes: Buffer, _encoding: string, done: () => void): void {
    this.onWritten(bytes)
    done()
  }

  destroySoon(): void {
    this.end(() => this.destroy())
  }
}

/** For tests: a server that says what the test tells it to, and writes down each frame that the session sends. */
export class ScriptedPeer {
  readonly session: Http2Session
  readonly socket = new PeerSocket()
  /** What came from the session since the last {@link take}, a line a frame; fields of HEADERS decoded. */
  readonly #recorder = new FrameRecorder()
  readonly #decoder = new HpackDecoder({ maxTableBytes: 4096, maxHeaderListBytes: 65_536 })
  readonly #reader: FrameReader
  readonly #buffer = new WriteBuffer()
  readonly #writer = new FrameWriter(this.#buffer, { maxFrameBytes: 16_384 })
  readonly #hpack = new HpackEncoder(0)
  readonly told: string[] = []
  #toSkip = PREFACE_BYTES

  constructor() {
    const recorder = this.#recorder
    const decoder = this.#decoder
    this.#reader = new FrameReader({
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
    })
    this.socket.onWritten = (bytes) => this.#onWritten(bytes)
    this.session = new Http2Session(this.socket as unknown as TLSSocket, {
      settings: (limit) => this.told.push(`settings ${limit}`),
      goaway: (errorCode, last, debugData) =>
        this.told.push(`goaway ${errorCode} ${last} ${debugData}`),
      closed: (cause) => this.told.push(`closed ${cause?.message ?? ''}`.trim()),
    })
  }

  /** Finishes the TLS handshake, exchanges SETTINGS, and forgets the frames of it. */
  open(...settings: (readonly [number, number])[]): this {
    this.socket.emit('secureConnect')
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
    this.socket.emit('data', Buffer.from(bytes))
  }

  /** Sends HEADERS with these fields, as literals. */
  headers(streamId: number, fields: RequestFields | [string, string][], endStream: boolean): void {
    const pairs = Array.isArray(fields) ? fields : Object.entries(fields)
    this.send((writer) => {
      let at = writer.startHeaders(streamId, 4096)
      at = this.#hpack.beginBlock(this.#buffer.bytes, at)
      for (const [name, value] of pairs)
        at = this.#hpack.encodeVarying(this.#buffer.bytes, at, new FieldName(name), value)
      writer.endHeaders(at, endStream)
    })
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
  request(payload = '{}', fields: RequestFields = FIELDS): StreamEnd[] {
    const ends: StreamEnd[] = []
    this.session.request(fields, payload, (end) => ends.push(end))
    return ends
  }

  #onWritten(bytes: Buffer): void {
    const skipped = Math.min(this.#toSkip, bytes.length)
    this.#toSkip -= skipped
    this.#reader.read(bytes.subarray(skipped))
  }
}

export const FIELDS: RequestFields = {
  ':method': 'POST',
  ':path': '/3/device/ab',
  'apns-topic': 'a.b',
}
