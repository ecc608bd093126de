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
  INITIAL_WINDOW_BYTES,
  PING_BYTES,
  SETTINGS_HEADER_TABLE_SIZE,
  SETTINGS_INITIAL_WINDOW_SIZE,
} from './frame-types.ts'
import { FrameWriter } from './frame-writer.ts'
import { HpackDecoder } from './hpack/decoder.ts'
import { DEFAULT_TABLE_BYTES } from './hpack/dynamic-table.ts'
import { RequestEncoder, type RequestFields } from './request-encoder.ts'
import { RequestStream, type StreamEnd } from './request-stream.ts'
import { DEFAULT_OWN_SETTINGS, encodeOwnSettings, PeerSettings } from './settings.ts'
import { StreamIds } from './stream-ids.ts'
import { WriteBuffer } from './write-buffer.ts'

/** What a session tells whoever opened it. `closed` comes once, after the last stream ended. */
export interface SessionEvents {
  /** The peer's SETTINGS: the first, and each change. */
  settings(maxConcurrentStreams: number): void
  /** The peer will process no stream above `lastStreamId`. */
  goaway(errorCode: ErrorCode, lastStreamId: number, debugData: string): void
  closed(cause: Error | null): void
}

/** What the server may send before it hears from us: answers are short, and used up as they come. */
const CONNECTION_WINDOW_BYTES = 1024 * 1024
/** What may wait in the socket for a peer that asks for replies and does not read them. */
const MAX_UNREAD_BYTES = 16 * 1024 * 1024
/** What HEADERS mostly take at most, a provider token included; where they take more, the buffer grows. */
const TYPICAL_HEADERS_BYTES = 1024
/** How long the last words may take to leave. */
const LINGER_MS = 1000
const NO_BYTES = new Uint8Array(0)

/**
 * One HTTP/2 session as a client, on a TLS socket that is about to connect: frames and streams, no policy.
 *
 *     opening ──TLS done, ALPN h2──▶ open ──close()──▶ closing ──last stream ended──▶ closed
 *        │                             │                  │                              ▲
 *        └─────────────────────────────┴── socket lost, destroy(), the peer's error ─────┘
 *
 * What one turn of the event loop writes goes out in one write to the socket.
 *
 * @see RFC 9113
 */
export class Http2Session {
  readonly #socket: TLSSocket
  readonly #events: SessionEvents
  readonly #peer = new PeerSettings()
  readonly #buffer = new WriteBuffer()
  readonly #writer = new FrameWriter(this.#buffer, this.#peer)
  readonly #encoder = new RequestEncoder(this.#buffer, this.#writer)
  readonly #decoder = new HpackDecoder({
    maxTableBytes: DEFAULT_TABLE_BYTES,
    maxHeaderListBytes: DEFAULT_OWN_SETTINGS.maxHeaderListBytes,
  })
  readonly #reader: FrameReader
  readonly #ids = new StreamIds()
  readonly #sendWindow = new FlowWindow(0, INITIAL_WINDOW_BYTES)
  readonly #receiveWindow = new ReceiveWindow(0, CONNECTION_WINDOW_BYTES)
  readonly #streams = new Map<number, RequestStream>()
  /** Streams whose payload waits for a window, in the order in which they were opened. */
  readonly #held = new Set<RequestStream>()
  readonly #pings: (() => void)[] = []
  /** Where the fields of the block in hand go. */
  #block = new AnswerFields()
  readonly #onField = (name: string, value: string): void => this.#block.add(name, value)
  #state: 'opening' | 'open' | 'closing' | 'closed' = 'opening'
  #goawayLastStreamId: number | null = null
  #cause: Error | null = null
  #isFlushDue = false

  constructor(socket: TLSSocket, events: SessionEvents) {
    this.#socket = socket
    this.#events = events
    this.#reader = new FrameReader(this.#createHandler())
    socket.setNoDelay(true)
    socket.once('secureConnect', () => this.#open())
    socket.on('data', (bytes: Buffer) => this.#read(bytes))
    socket.on('error', (error) => this.destroy(error))
    // a peer that has said its last word answers nothing any more
    socket.on('end', () => socket.destroy())
    socket.on('close', () => this.#onClose())
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
   * @param onEnd called exactly once
   * @returns the stream, to be given up by {@link cancel}; null where it has ended already
   * @throws {RangeError} for a field with characters past 255: nothing was sent, and `onEnd` will not be called.
   */
  request(
    fields: RequestFields,
    payload: string | Uint8Array,
    onEnd: (end: StreamEnd) => void,
  ): RequestStream | null {
    if (!this.isOpen) {
      onEnd({ type: 'notProcessed', cause: 'the connection takes no new stream' })
      return null
    }
    const bytes = typeof payload === 'string' ? Buffer.from(payload) : payload
    const stream = new RequestStream(this.#ids.next(), onEnd)
    this.#makeRoom(TYPICAL_HEADERS_BYTES)
    this.#encoder.write(stream.id, fields, bytes.length === 0)
    this.#streams.set(stream.id, stream)
    if (bytes.length > 0) this.#writePayload(stream, bytes)
    this.#flushSoon()
    return stream
  }

  /** Gives a stream up: the peer is told, and the stream ends in doubt for `cause`. */
  cancel(stream: RequestStream, cause: string): void {
    if (!this.#streams.has(stream.id) || this.#state === 'closed') return
    this.#writer.rstStream(stream.id, CANCEL)
    this.#flushSoon()
    this.#end(stream, { type: 'inDoubt', cause })
  }

  /** Calls back when the peer has answered a PING; never when it does not. */
  ping(onPong: () => void): void {
    if (this.#state === 'opening' || this.#state === 'closed') return
    this.#pings.push(onPong)
    this.#writer.ping(new Uint8Array(PING_BYTES), false)
    this.#flushSoon()
  }

  /** Starts no new stream, ends when the last one has. */
  close(): void {
    if (this.#state === 'opening') this.destroy(new Error('it was closed before it was open'))
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

  #open(): void {
    if (this.#socket.alpnProtocol !== 'h2') {
      this.destroy(new Error('the peer does not speak HTTP/2: it did not choose h2 by ALPN'))
      return
    }
    this.#state = 'open'
    this.#writer.preface(encodeOwnSettings(DEFAULT_OWN_SETTINGS))
    this.#writer.windowUpdate(0, this.#receiveWindow.refill())
    this.#flush()
  }

  #read(bytes: Buffer): void {
    if (this.#state === 'closed') return
    try {
      this.#reader.read(bytes)
    } catch (error) {
      this.#fail(error as Error)
    }
    this.#flush()
  }

  /** Tells the peer what it did wrong, and ends the connection. */
  #fail(error: Error): void {
    this.#cause ??= error
    const code = error instanceof Http2Error ? error.errorCode : INTERNAL_ERROR
    this.#finish(code, Buffer.from(error.message.slice(0, 200)))
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
    for (const stream of this.#streams.values()) this.#end(stream, { type: 'inDoubt', cause })
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
    this.#guard(() => {
      const streamIncrement = stream.takeData(bytes, start, end, flowControlledBytes)
      if (streamIncrement > 0 && !endStream) this.#writer.windowUpdate(streamId, streamIncrement)
    })
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
    const block = new AnswerFields()
    this.#block = block
    const isWhole = this.#decoder.decode(bytes, start, end, this.#onField)
    if (stream === undefined) return
    this.#guard(() => {
      if (!isWhole)
        throw new Http2Error(ENHANCE_YOUR_CALM, 'an answer of too many fields', streamId)
      stream.takeFields(block, endStream)
    })
    if (endStream) this.#answer(stream)
  }

  #onRstStream(streamId: number, errorCode: ErrorCode): void {
    const stream = this.#find(streamId, 'RST_STREAM')
    if (stream === undefined) return
    const type = errorCode === REFUSED_STREAM ? 'notProcessed' : 'inDoubt'
    this.#end(stream, { type, cause: `RST_STREAM with ${errorCodeName(errorCode)}` })
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
    for (const stream of this.#streams.values())
      if (stream.id > last) this.#end(stream, { type: 'notProcessed', cause: 'GOAWAY before it' })
  }

  #onWindowUpdate(streamId: number, incrementBytes: number): void {
    if (streamId === 0) this.#sendWindow.widen(incrementBytes)
    else {
      const window = this.#find(streamId, 'WINDOW_UPDATE')?.window
      this.#guard(() => window?.widen(incrementBytes))
    }
    this.#pumpHeld()
  }

  #onStreamError(error: Http2Error): void {
    const stream = this.#find(error.streamId, 'a broken frame')
    if (stream === undefined) return
    this.#writer.rstStream(error.streamId, error.errorCode)
    this.#end(stream, { type: 'inDoubt', cause: `the peer broke the protocol: ${error.message}` })
  }

  /** Keeps what is wrong with one stream to that stream. */
  #guard(act: () => void): void {
    try {
      act()
    } catch (error) {
      if (!(error instanceof Http2Error) || error.streamId === 0) throw error
      this.#onStreamError(error)
    }
  }

  /**
   * Finds a stream that a frame names; undefined for one that has ended here, whose frames may still be on their way.
   * @throws {Http2Error} PROTOCOL_ERROR, for the connection, where it was never opened. [RFC 9113 §5.1]
   */
  #find(streamId: number, frame: string): RequestStream | undefined {
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

  #answer(stream: RequestStream): void {
    if (!this.#streams.has(stream.id)) return
    // its payload will not follow: without this it would count against the peer's limit for ever [RFC 9113 §5.1]
    if (this.#held.has(stream)) this.#writer.rstStream(stream.id, CANCEL)
    this.#end(stream, { type: 'answer', answer: stream.answer })
  }

  #end(stream: RequestStream, end: StreamEnd): void {
    if (!this.#streams.delete(stream.id)) return
    this.#held.delete(stream)
    stream.onEnd(end)
    this.#finishIfIdle()
  }

  /** Writes a payload whole where it fits into both windows, which it nearly always does, and keeps it otherwise. */
  #writePayload(stream: RequestStream, payload: Uint8Array): void {
    const { length } = payload
    const fits = length <= this.#sendWindow.bytes && length <= this.#peer.initialWindowBytes
    if (fits && this.#held.size === 0) {
      this.#sendWindow.spend(length)
      this.#makeRoom(length)
      this.#writer.data(stream.id, payload, 0, length, true)
      return
    }
    stream.hold(payload, this.#peer.initialWindowBytes)
    this.#held.add(stream)
    this.#pumpHeld()
  }

  /** Writes what waits, as far as the windows allow. */
  #pumpHeld(): void {
    if (this.#held.size === 0) return
    for (const stream of this.#held) {
      if (this.#sendWindow.bytes <= 0) return
      this.#pumpStream(stream)
    }
  }

  #pumpStream(stream: RequestStream): void {
    const { window, payload, sentBytes } = stream
    if (window === null) return
    const room = Math.min(this.#sendWindow.bytes, window.bytes)
    const bytes = Math.min(room, payload.length - sentBytes)
    if (bytes <= 0) return
    this.#sendWindow.spend(bytes)
    window.spend(bytes)
    stream.sentBytes += bytes
    const isLast = stream.sentBytes === payload.length
    this.#makeRoom(bytes)
    this.#writer.data(stream.id, payload, sentBytes, stream.sentBytes, isLast)
    if (isLast) this.#held.delete(stream)
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
