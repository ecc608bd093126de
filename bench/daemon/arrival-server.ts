/**
 * A counterpart that says when a marked notification arrived: `node arrival-server.ts PORT KEY CERTIFICATE
 * REPLY_TIME_MS`; port 0: any. Prints its port, then a line `NUMBER NANOSECONDS` for each marked one, by the clock that
 * all processes of a machine share. Answers each request 200 after the reply time. Ends when its standard input does.
 *
 * It reads frames and no header fields, so that it carries a campaign: the mark is looked for in the header block as it
 * lies there, which finds it because our client does not Huffman-code paths.
 */
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import type { AddressInfo } from 'node:net'
import { createServer, type TLSSocket } from 'node:tls'
import type { FrameHandler } from '../../packages/apns/src/http2/frame-handler.ts'
import { FrameReader } from '../../packages/apns/src/http2/frame-reader.ts'
import { HOST } from '../common/stage-folder.ts'
import { IN_FLIGHT } from '../common/work.ts'
import { MARK, MARKED_DIGITS } from './marked.ts'

const [port = '0', keyPath = '', certificatePath = '', replyTimeMs = '0'] = process.argv.slice(2)

/** `PRI * HTTP/2.0…`, which a client begins with. [RFC 9113 §3.4] */
const CLIENT_PREFACE_BYTES = 24
const MARK_BYTES = Buffer.from(`/3/device/${MARK}`)
/** Half of the window that the client has: given back so often. [RFC 9113 §6.9.2] */
const WINDOW_STEP_BYTES = 32_768

// [RFC 9113 §4.1] length(24) type(8) flags(8) stream(32)
const SETTINGS = Buffer.from([
  0,
  0,
  6,
  4,
  0,
  0,
  0,
  0,
  0,
  0,
  3,
  0,
  0,
  IN_FLIGHT >> 8,
  IN_FLIGHT & 255,
])
const SETTINGS_ACK = Buffer.from([0, 0, 0, 4, 1, 0, 0, 0, 0])
const PING_ACK = Buffer.from([0, 0, 8, 6, 1, 0, 0, 0, 0])
/** HEADERS with END_STREAM and END_HEADERS, whose block is `:status: 200` of the static table. [RFC 7541 Appendix A] */
const ACCEPTED = Buffer.from([0, 0, 1, 1, 5, 0, 0, 0, 0, 0x88])
const WINDOW_UPDATE_HEAD = Buffer.from([0, 0, 4, 8, 0, 0, 0, 0, 0])
const STREAM_ID_AT = 5

/** One connection from the daemon. */
class Connection implements FrameHandler {
  readonly #socket: TLSSocket
  readonly #reader = new FrameReader(this)
  #prefaceLeft = CLIENT_PREFACE_BYTES
  #unreturnedBytes = 0
  /** What answers the chunk that is being read. */
  #answers: Buffer[] = []

  constructor(socket: TLSSocket) {
    this.#socket = socket
    socket.setNoDelay(true)
    socket.on('data', (bytes) => this.#take(bytes))
    socket.on('error', () => undefined) // 'close' follows
    socket.write(SETTINGS)
  }

  headers(
    streamId: number,
    bytes: Uint8Array,
    start: number,
    end: number,
    endStream: boolean,
  ): void {
    const block = Buffer.from(bytes.buffer, bytes.byteOffset + start, end - start)
    const at = block.indexOf(MARK_BYTES)
    if (at !== -1) {
      const nanoseconds = process.hrtime.bigint()
      const from = at + MARK_BYTES.length
      const digits = block.toString('latin1', from, from + MARKED_DIGITS)
      process.stdout.write(`${Number(digits)} ${nanoseconds}\n`)
    }
    if (endStream) this.#accept(streamId)
  }

  data(
    streamId: number,
    _bytes: Uint8Array,
    _start: number,
    _end: number,
    endStream: boolean,
    flowControlledBytes: number,
  ): void {
    this.#unreturnedBytes += flowControlledBytes
    if (endStream) this.#accept(streamId)
  }

  settings(): void {
    this.#socket.write(SETTINGS_ACK)
  }

  ping(opaque: Uint8Array, ack: boolean): void {
    if (!ack) this.#socket.write(Buffer.concat([PING_ACK, opaque]))
  }

  rstStream(): void {}
  settingsAck(): void {}
  goaway(): void {}
  windowUpdate(): void {}
  streamError(): void {}

  #take(bytes: Buffer): void {
    const skipped = Math.min(this.#prefaceLeft, bytes.length)
    this.#prefaceLeft -= skipped
    this.#reader.read(bytes.subarray(skipped))
    if (this.#unreturnedBytes >= WINDOW_STEP_BYTES) this.#returnWindow()
    if (this.#answers.length > 0) this.#answer()
  }

  #accept(streamId: number): void {
    const frame = Buffer.from(ACCEPTED)
    frame.writeUInt32BE(streamId, STREAM_ID_AT)
    this.#answers.push(frame)
  }

  #answer(): void {
    const bytes = Buffer.concat(this.#answers)
    this.#answers = []
    const write = (): void => {
      if (!this.#socket.destroyed) this.#socket.write(bytes)
    }
    if (Number(replyTimeMs) === 0) write()
    else setTimeout(write, Number(replyTimeMs))
  }

  #returnWindow(): void {
    const increment = Buffer.alloc(4)
    increment.writeUInt32BE(this.#unreturnedBytes)
    this.#unreturnedBytes = 0
    this.#socket.write(Buffer.concat([WINDOW_UPDATE_HEAD, increment]))
  }
}

const server = createServer(
  {
    key: readFileSync(keyPath),
    cert: readFileSync(certificatePath),
    ALPNProtocols: ['h2'],
  },
  (socket) => new Connection(socket),
)
await once(server.listen(Number(port), HOST), 'listening')
process.stdout.write(`${(server.address() as AddressInfo).port}\n`)
process.stdin.resume().on('end', () => process.exit())
