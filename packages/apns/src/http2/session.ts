import type { TLSSocket } from 'node:tls'
import { AnswerFields } from './answer-fields.ts'
import {
  CANCEL,
  ENHANCE_YOUR_CALM,
  type ErrorCode,
  errorCodeName,
  Http2Error,
  INTERNAL_ERROR,
  NO_ERROR,
  PROTOCOL_ERROR,
  REFUSED_STREAM,
} from './errors.ts'
import { FlowWindow, ReceiveWindow } from './flow-window.ts'
import type { FrameHandler, Setting } from './frame-handler.ts'
import { FrameReader } from './frame-reader.ts'
import {
  FRAME_HEADER_BYTES,
  INITIAL_WINDOW_BYTES,
  PING_BYTES,
  SETTINGS_HEADER_TABLE_SIZE,
  SETTINGS_INITIAL_WINDOW_SIZE,
} from './frame-types.ts'
import { FrameWriter } from './frame-writer.ts'
import type { HeaderFields } from './header-fields.ts'
import { HpackDecoder } from './hpack/decoder.ts'
import { DEFAULT_TABLE_BYTES } from './hpack/dynamic-table.ts'
import { HpackEncoder } from './hpack/encoder.ts'
import { MAX_BLOCK_START_BYTES } from './hpack/fields.ts'
import { OpenStreams } from './open-streams.ts'
import type { RequestStream, StreamEnd } from './request-stream.ts'
import { DEFAULT_OWN_SETTINGS, encodeOwnSettings, PeerSettings } from './settings.ts'
import { StreamIds } from './stream-ids.ts'
import { WriteBuffer } from './write-buffer.ts'

/** What a session tells whoever opened it. None of them may throw. */
export interface SessionEvents<Stream extends RequestStream> {
  /** The peer's SETTINGS: the first, and each change. */
  settings(maxConcurrentStreams: number): void
  /** A request came to its end; each does once. `cause` says why there is no answer. */
  ended(stream: Stream, end: StreamEnd, cause: string): void
  /** All that had come is read: there may be room where there was none. What is sent now goes out at once. */
  read(): void
  /** The peer will process no stream above `lastStreamId`. */
  goaway(errorCode: ErrorCode, lastStreamId: number, debugData: string): void
  /** Once, after the last stream ended. */
  closed(cause: Error | null): void
}

export interface SessionOptions {
  /** The fields of answers that streams are to keep, by name in lower case. */
  readonly keepFields: { has(name: string): boolean }
  /** Odd; another than 1 is for tests. */
  readonly firstStreamId?: number
}

/** What the server may send before it hears from us: answers are short, and used up as they come. */
const CONNECTION_WINDOW_BYTES = 1024 * 1024
/** What may wait in the socket for a peer that asks for replies and does not read them. */
const MAX_UNREAD_BYTES = 16 * 1024 * 1024
/** A payload goes out in pieces of this at most, so that no window, however wide, makes the buffer grow. */
const MAX_PIECE_BYTES = 32 * 1024
/** How long the last words may take to leave. */
const LINGER_MS = 1000
/** The headers of the frames that one piece takes: its own, and those of HEADERS and CONTINUATIONs before it. */
const FRAMES_BYTES = 8 * FRAME_HEADER_BYTES
const NO_BYTES = new Uint8Array(0)

/**
 * One HTTP/2 session as a client, on a TLS socket that has agreed on `h2`: frames and streams, no policy.
 *
 *     open ──close()──▶ closing ──last stream ended──▶ closed
 *       │                  │                              ▲
 *       └──────────────────┴── socket lost, destroy(), ───┘
 *                              the peer's error
 *
 * What one turn of the event loop writes goes out in one write to the socket.
 *
 * @see RFC 9113
 */
export class Http2Session<Stream extends RequestStream = RequestStream> {
  readonly #socket: TLSSocket
  readonly #events: SessionEvents<Stream>
  readonly #peer = new PeerSettings()
  readonly #buffer = new WriteBuffer()
  readonly #writer = new FrameWriter(this.#buffer, this.#peer)
  readonly #encoder = new HpackEncoder()
  readonly #decoder = new HpackDecoder({
    maxTableBytes: DEFAULT_TABLE_BYTES,
    maxHeaderListBytes: DEFAULT_OWN_SETTINGS.maxHeaderListBytes,
  })
  readonly #reader: FrameReader
  readonly #ids: StreamIds
  readonly #sendWindow = new FlowWindow(0, INITIAL_WINDOW_BYTES)
  readonly #receiveWindow = new ReceiveWindow(0, CONNECTION_WINDOW_BYTES)
  readonly #streams = new OpenStreams<Stream>()
  /** Streams whose payload waits for a window, in the order in which they were opened. */
  readonly #held = new Set<Stream>()
  readonly #pings: (() => void)[] = []
  /** The fields of the block in hand. */
  readonly #block: AnswerFields
  readonly #onField = (name: string, value: string): void => this.#block.add(name, value)
  #state: 'open' | 'closing' | 'closed' = 'open'
  #goawayLastStreamId: number | null = null
  #cause: Error | null = null
  #isFlushDue = false
  #isReading = false

  constructor(socket: TLSSocket, events: SessionEvents<Stream>, options: SessionOptions) {
    this.#socket = socket
    this.#events = events
    this.#ids = new StreamIds(options.firstStreamId)
    this.#block = new AnswerFields(options.keepFields)
    this.#reader = new FrameReader(this.#createHandler())
    socket.setNoDelay(true)
    socket.on('data', (bytes: Buffer) => this.#read(bytes))
    socket.on('error', (error) => this.destroy(error))
    // a peer that has said its last word answers nothing any more
    socket.on('end', () => socket.destroy())
    socket.on('close', () => this.#onClose())
    this.#writer.preface(encodeOwnSettings(DEFAULT_OWN_SETTINGS))
    this.#writer.windowUpdate(0, this.#receiveWindow.refill())
    this.#flush()
  }

  /** Streams without an answer yet. */
  get openStreams(): number {
    return this.#streams.size
  }

  /** The one that has waited for its answer for the longest; `next` leads on from it. */
  get oldestStream(): Stream | null {
    return this.#streams.first
  }

  /** Whether it is in the midst of what has come: SETTINGS may follow that change what is allowed. */
  get isReading(): boolean {
    return this.#isReading
  }

  /** Whether payload waits for a window: whatever is sent now would wait behind it. */
  get isHeld(): boolean {
    return this.#held.size > 0
  }

  /** True when it is time to make another connection: stream identifiers are used up one day. */
  get isRetireDue(): boolean {
    return this.#ids.isRetireDue
  }

  /** Whether it takes another request. */
  get isOpen(): boolean {
    // not writable: it has failed or was destroyed, and `close` of the socket is yet to come
    return (
      this.#state === 'open' &&
      this.#socket.writable &&
      this.#goawayLastStreamId === null &&
      this.#ids.left > 0
    )
  }

  /**
   * Opens a stream and sends a request on it, its payload as far as the windows allow, the rest as they widen.
   * @param stream gets its identifier; `ended` is told of it once
   * @param payload not to be changed before the stream's end
   * @returns false where it takes no request: nothing was sent then, and `ended` will not be told
   */
  request(stream: Stream, fields: HeaderFields, payload: string | Uint8Array): boolean {
    if (!this.isOpen) return false
    const bytes = typeof payload === 'string' ? Buffer.from(payload) : payload
    const maxBytes = MAX_BLOCK_START_BYTES + fields.maxBytes
    // DATA with the whole payload mostly follows
    this.#makeRoom(maxBytes + Math.min(bytes.length, MAX_PIECE_BYTES) + FRAMES_BYTES)
    stream.id = this.#ids.next()
    const start = this.#writer.startHeaders(stream.id, maxBytes)
    const target = this.#buffer.bytes
    const end = fields.encode(this.#encoder, target, this.#encoder.beginBlock(target, start))
    this.#writer.endHeaders(end, bytes.length === 0)
    this.#streams.add(stream)
    if (bytes.length > 0) this.#writePayload(stream, bytes)
    if (!this.#isFlushDue) this.#flushSoon()
    return true
  }

  /** Gives a stream up: the peer is told, and the stream ends in doubt for `cause`. */
  cancel(stream: Stream, cause: string): void {
    if (this.#state === 'closed' || !this.#streams.has(stream)) return
    this.#writer.rstStream(stream.id, CANCEL)
    this.#flushSoon()
    this.#end(stream, 'inDoubt', cause)
  }

  /** Calls back when the peer has answered a PING; never when it does not. */
  ping(onPong: () => void): void {
    if (this.#state === 'closed') return
    this.#pings.push(onPong)
    this.#writer.ping(new Uint8Array(PING_BYTES), false)
    this.#flushSoon()
  }

  /** Starts no new stream, ends when the last one has. */
  close(): void {
    if (this.#state !== 'open') return
    this.#state = 'closing'
    this.#finishIfIdle()
  }

  /** Ends at once; streams without an answer are in doubt. */
  destroy(cause: Error): void {
    this.#cause ??= cause
    this.#reader.stop()
    this.#socket.destroy()
  }

  #read(bytes: Buffer): void {
    if (this.#state === 'closed') return
    this.#isReading = true
    try {
      this.#reader.read(bytes)
    } catch (error) {
      this.#fail(error as Error)
    }
    this.#isReading = false
    this.#events.read()
    this.#flush()
  }

  /** Tells the peer what it did wrong, and ends the connection. */
  #fail(error: Error): void {
    this.#cause ??= error
    // what went wrong here is none of the peer's business
    if (!(error instanceof Http2Error)) this.#finish(INTERNAL_ERROR, NO_BYTES)
    else this.#finish(error.errorCode, Buffer.from(error.message.slice(0, 200)))
  }

  #finishIfIdle(): void {
    if (this.#state === 'closing' && this.#streams.size === 0) this.#finish(NO_ERROR, NO_BYTES)
  }

  #finish(errorCode: ErrorCode, debugData: Uint8Array): void {
    this.#reader.stop()
    this.#writer.goaway(0, errorCode, debugData)
    this.#flush()
    this.#socket.destroySoon()
    // a peer that does not read would keep the socket for ever
    setTimeout(() => this.#socket.destroy(), LINGER_MS).unref()
  }

  #onClose(): void {
    if (this.#state === 'closed') return
    this.#state = 'closed'
    const cause = this.#cause?.message ?? 'the connection ended'
    for (const stream of this.#streams.toArray()) this.#end(stream, 'inDoubt', cause)
    this.#events.closed(this.#cause)
  }

  #createHandler(): FrameHandler {
    return {
      data: (streamId, bytes, start, end, endStream, flowControlledBytes) =>
        this.#onData(streamId, bytes, start, end, endStream, flowControlledBytes),
      headers: (streamId, bytes, start, end, endStream) =>
        this.#onHeaders(streamId, bytes, start, end, endStream),
      rstStream: (streamId, errorCode) => this.#onRstStream(streamId, errorCode),
      settings: (settings) => this.#onSettings(settings),
      settingsAck: () => this.#decoder.setMaxTableBytes(DEFAULT_OWN_SETTINGS.headerTableBytes),
      ping: (opaque, ack) => this.#onPing(opaque, ack),
      goaway: (lastStreamId, errorCode, debugData) =>
        this.#onGoaway(lastStreamId, errorCode, debugData),
      windowUpdate: (streamId, incrementBytes) => this.#onWindowUpdate(streamId, incrementBytes),
      streamError: (error) => this.#onStreamError(error),
    }
  }

  #onData(
    streamId: number,
    bytes: Uint8Array,
    start: number,
    end: number,
    endStream: boolean,
    flowControlledBytes: number,
  ): void {
    const incrementBytes = this.#receiveWindow.receive(flowControlledBytes)
    if (incrementBytes > 0) this.#writer.windowUpdate(0, incrementBytes)
    const stream = this.#find(streamId, 'DATA')
    if (stream === undefined) return
    try {
      const streamIncrement = stream.takeData(bytes, start, end, flowControlledBytes)
      if (streamIncrement > 0 && !endStream) this.#writer.windowUpdate(streamId, streamIncrement)
      if (endStream) stream.checkLength()
    } catch (error) {
      this.#onMalformed(error)
      return
    }
    if (endStream) this.#answer(stream)
  }

  #onHeaders(
    streamId: number,
    bytes: Uint8Array,
    start: number,
    end: number,
    endStream: boolean,
  ): void {
    const stream = this.#find(streamId, 'HEADERS')
    // decoded for a closed stream as well: what it adds to the dynamic table counts [RFC 9113 §4.3]
    this.#block.clear()
    const isWhole = this.#decoder.decode(bytes, start, end, this.#onField)
    if (stream === undefined) return
    try {
      if (!isWhole)
        throw new Http2Error(ENHANCE_YOUR_CALM, 'an answer of too many fields', streamId)
      stream.takeFields(this.#block, endStream)
      if (endStream) stream.checkLength()
    } catch (error) {
      this.#onMalformed(error)
      return
    }
    if (endStream) this.#answer(stream)
  }

  #onRstStream(streamId: number, errorCode: ErrorCode): void {
    const stream = this.#find(streamId, 'RST_STREAM')
    if (stream === undefined) return
    const end = errorCode === REFUSED_STREAM ? 'notProcessed' : 'inDoubt'
    this.#end(stream, end, `RST_STREAM with ${errorCodeName(errorCode)}`)
  }

  #onSettings(settings: readonly Setting[]): void {
    for (const { identifier, from, to } of this.#peer.apply(settings)) {
      if (identifier === SETTINGS_HEADER_TABLE_SIZE) this.#encoder.setPeerMaxTableBytes(to)
      else if (identifier === SETTINGS_INITIAL_WINDOW_SIZE)
        for (const { window } of this.#held) window?.shift(to - from)
    }
    this.#checkUnread()
    this.#writer.settingsAck()
    this.#pumpHeld()
    this.#events.settings(this.#peer.maxConcurrentStreams)
  }

  #onPing(opaque: Uint8Array, ack: boolean): void {
    if (ack) {
      this.#pings.shift()?.()
      return
    }
    this.#checkUnread()
    this.#writer.ping(opaque, true)
  }

  #onGoaway(lastStreamId: number, errorCode: ErrorCode, debugData: Uint8Array): void {
    // a second GOAWAY may only lower the number [RFC 9113 §6.8]
    const last = Math.min(lastStreamId, this.#goawayLastStreamId ?? lastStreamId)
    this.#goawayLastStreamId = last
    this.#events.goaway(errorCode, last, Buffer.from(debugData).toString('utf8'))
    for (const stream of this.#streams.toArray())
      if (stream.id > last) this.#end(stream, 'notProcessed', 'GOAWAY before it')
  }

  #onWindowUpdate(streamId: number, incrementBytes: number): void {
    if (streamId === 0) this.#sendWindow.widen(incrementBytes)
    else {
      const window = this.#find(streamId, 'WINDOW_UPDATE')?.window
      try {
        window?.widen(incrementBytes)
      } catch (error) {
        this.#onMalformed(error)
      }
    }
    this.#pumpHeld()
  }

  #onStreamError(error: Http2Error): void {
    const stream = this.#find(error.streamId, 'a broken frame')
    if (stream === undefined) return
    this.#writer.rstStream(error.streamId, error.errorCode)
    this.#end(stream, 'inDoubt', `the peer broke the protocol: ${error.message}`)
  }

  /** Keeps what is wrong with one stream to that stream. */
  #onMalformed(error: unknown): void {
    if (!(error instanceof Http2Error) || error.streamId === 0) throw error
    this.#onStreamError(error)
  }

  /**
   * Finds a stream that a frame names; undefined for one that has ended here, whose frames may still be on their way.
   * @throws {Http2Error} PROTOCOL_ERROR, for the connection, where it was never opened. [RFC 9113 §5.1]
   */
  #find(streamId: number, frame: string): Stream | undefined {
    const stream = this.#streams.get(streamId)
    if (stream === undefined && this.#ids.isIdle(streamId))
      throw new Http2Error(PROTOCOL_ERROR, `${frame} on stream ${streamId}, which is idle`)
    return stream
  }

  /** @throws {Http2Error} ENHANCE_YOUR_CALM, for the connection */
  #checkUnread(): void {
    if (this.#socket.writableLength > MAX_UNREAD_BYTES)
      throw new Http2Error(ENHANCE_YOUR_CALM, 'the peer asks for replies and does not read them')
  }

  #answer(stream: Stream): void {
    // its payload will not follow: without this it would count against the peer's limit for ever [RFC 9113 §5.1]
    if (stream.payload !== null) this.#writer.rstStream(stream.id, CANCEL)
    this.#end(stream, 'answered', '')
  }

  #end(stream: Stream, end: StreamEnd, cause: string): void {
    if (!this.#streams.delete(stream)) return
    if (stream.payload !== null) this.#release(stream)
    this.#events.ended(stream, end, cause)
    if (this.#state === 'closing') this.#finishIfIdle()
  }

  /** Writes a payload whole where it fits into both windows, which it nearly always does, and keeps it otherwise. */
  #writePayload(stream: Stream, payload: Uint8Array): void {
    const { length } = payload
    const fits = length <= this.#sendWindow.bytes && length <= this.#peer.initialWindowBytes
    if (fits && length <= MAX_PIECE_BYTES && this.#held.size === 0) {
      this.#sendWindow.spend(length)
      this.#writer.data(stream.id, payload, 0, length, true)
      return
    }
    stream.hold(payload, this.#peer.initialWindowBytes)
    this.#held.add(stream)
    this.#pumpHeld()
  }

  #release(stream: Stream): void {
    stream.payload = null
    this.#held.delete(stream)
  }

  /** Writes what waits, as far as the windows allow. */
  #pumpHeld(): void {
    if (this.#held.size === 0) return
    for (const stream of this.#held) {
      if (this.#sendWindow.bytes <= 0) return
      this.#pumpStream(stream)
    }
  }

  #pumpStream(stream: Stream): void {
    while (stream.payload !== null && stream.window !== null) {
      const left = stream.payload.length - stream.sentBytes
      const room = Math.min(this.#sendWindow.bytes, stream.window.bytes, MAX_PIECE_BYTES)
      const bytes = Math.min(room, left)
      if (bytes <= 0) return
      this.#sendWindow.spend(bytes)
      stream.window.spend(bytes)
      this.#makeRoom(bytes + FRAMES_BYTES)
      const from = stream.sentBytes
      stream.sentBytes += bytes
      this.#writer.data(stream.id, stream.payload, from, stream.sentBytes, bytes === left)
      if (bytes === left) this.#release(stream)
    }
  }

  #makeRoom(bytes: number): void {
    if (!this.#buffer.hasRoomFor(bytes)) this.#flush()
  }

  /** Flushes when the turn is over; what is written while reading is flushed when the reading is done. */
  #flushSoon(): void {
    if (this.#isFlushDue) return
    this.#isFlushDue = true
    process.nextTick(() => {
      this.#isFlushDue = false
      this.#flush()
    })
  }

  #flush(): void {
    if (this.#buffer.filledBytes === 0) return
    const bytes = this.#buffer.take()
    if (!this.#socket.destroyed && this.#socket.writable) this.#socket.write(bytes)
  }
}
