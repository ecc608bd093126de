import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { CONTINUATION, FLAG_END_HEADERS, FLAG_END_STREAM, HEADERS } from './frame-types.ts'
import { FrameWriter } from './frame-writer.ts'
import { HpackDecoder } from './hpack/decoder.ts'
import { RequestEncoder, type RequestFields } from './request-encoder.ts'
import { decodeUint24 } from './uint.ts'
import { WriteBuffer } from './write-buffer.ts'

/** The encoder and what a peer makes of its blocks. */
class Exchange {
  readonly #buffer = new WriteBuffer()
  readonly encoder = new RequestEncoder(
    this.#buffer,
    new FrameWriter(this.#buffer, { maxFrameBytes: 16_384 }),
  )
  readonly #decoder = new HpackDecoder({ maxTableBytes: 4096, maxHeaderListBytes: 100_000 })
  /** Type and flags of the frames of the last block. */
  frames: [number, number][] = []

  /** @returns how long the block is, after checking that the peer reads the same fields out of it */
  write(fields: RequestFields, endStream = false): number {
    this.encoder.write(1, fields, endStream)
    const bytes = this.#buffer.take()
    const fragments: Buffer[] = []
    this.frames = []
    for (let at = 0; at < bytes.length; ) {
      const end = at + 9 + decodeUint24(bytes, at)
      this.frames.push([bytes[at + 3]!, bytes[at + 4]!])
      fragments.push(bytes.subarray(at + 9, end))
      at = end
    }
    const block = Buffer.concat(fragments)
    const read: [string, string][] = []
    this.#decoder.decode(block, 0, block.length, (name, value) => read.push([name, value]))
    assert.deepEqual(read, Object.entries(fields))
    return block.length
  }
}

const id = (n: number): string => `00000000-0000-4000-8000-${String(n).padStart(12, '0')}`

describe('RequestEncoder', () => {
  it('writes a field that repeats in one byte', () => {
    const exchange = new Exchange()
    const fields = { ':method': 'POST', 'apns-topic': 'a.b', 'apns-priority': '10' }
    assert.ok(exchange.write(fields) > 20)
    assert.equal(exchange.write(fields), 3)
  })

  it('writes a value that varies as it is each time, and never makes an entry for it but the first', () => {
    const exchange = new Exchange()
    const topic = { 'apns-topic': 'a.b' }
    exchange.write(topic)
    const path = '/3/device/ab'
    // :path by its static name: length and value; apns-id in full once, for its name
    const first = exchange.write({ ':path': path, 'apns-id': id(0) })
    const second = exchange.write({ ':path': path, 'apns-id': id(1) })
    assert.equal(second, 1 + 1 + path.length + 2 + 1 + id(1).length)
    assert.ok(first > second)
    // the same value again: no entry was made for it
    assert.equal(exchange.write({ ':path': path, 'apns-id': id(1) }), second)
    for (let n = 0; n < 500; n += 1)
      exchange.write({ ':path': `${path}${n}`, 'apns-id': id(n), 'apns-expiration': `${n}` })
    assert.equal(exchange.write(topic), 1)
  })

  it('writes each of ten topics that take turns in one byte', () => {
    const exchange = new Exchange()
    const topic = (n: number): RequestFields => ({ 'apns-topic': `com.example.app${n % 10}` })
    for (let n = 0; n < 10; n += 1) assert.ok(exchange.write(topic(n)) > 1)
    for (let n = 0; n < 100; n += 1) assert.equal(exchange.write(topic(n)), 1)
  })

  it('writes more values than it remembers, and than the table holds', () => {
    const exchange = new Exchange()
    for (let n = 0; n < 2000; n += 1)
      exchange.write({
        ':method': 'POST',
        'apns-topic': `com.example.${'x'.repeat(n % 60)}${(n * 7) % 83}`,
        authorization: `bearer ${'y'.repeat(100 + (n >> 6))}`,
        'apns-id': id(n),
      })
  })

  it('follows the size of the peer’s table', () => {
    const exchange = new Exchange()
    const fields = { 'apns-topic': 'com.example.app' }
    const first = exchange.write(fields)
    exchange.encoder.setPeerMaxTableBytes(0)
    assert.equal(exchange.write(fields), first + 1)
    assert.equal(exchange.write(fields), first)
    exchange.encoder.setPeerMaxTableBytes(4096)
    assert.equal(exchange.write(fields), first + 3)
    assert.equal(exchange.write(fields), 1)
  })

  it('cuts a block past the peer’s MAX_FRAME_SIZE into CONTINUATIONs, END_STREAM on HEADERS', () => {
    const exchange = new Exchange()
    const fields = { ':path': '/'.repeat(40_000), 'apns-topic': 'a.b' }
    exchange.write(fields, true)
    assert.deepEqual(exchange.frames, [
      [HEADERS, FLAG_END_STREAM],
      [CONTINUATION, 0],
      [CONTINUATION, FLAG_END_HEADERS],
    ])
    assert.equal(exchange.write({ 'apns-topic': 'a.b' }), 1)
    assert.deepEqual(exchange.frames, [[HEADERS, FLAG_END_HEADERS]])
  })

  it('refuses characters past 255 before it has written anything', () => {
    const exchange = new Exchange()
    const fields = { 'apns-push-type': 'alert', 'apns-topic': 'a.b' }
    const first = exchange.write(fields)
    assert.throws(
      () => exchange.encoder.write(3, { ...fields, 'apns-topic': '€' }, true),
      RangeError,
    )
    assert.ok(exchange.write(fields) < first)
  })
})
