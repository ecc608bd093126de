import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import type { Setting } from './frame-handler.ts'
import { record } from './frame-recorder.ts'
import { FrameWriter } from './frame-writer.ts'
import { DEFAULT_OWN_SETTINGS, encodeOwnSettings } from './settings.ts'
import { WRITE_BUFFER_BYTES, WriteBuffer } from './write-buffer.ts'

const SERVER_PREFACE = Buffer.from([0, 0, 0, 4, 0, 0, 0, 0, 0])

function newWriter(maxFrameBytes = 16_384) {
  const buffer = new WriteBuffer()
  const peer = { maxFrameBytes }
  return { buffer, peer, writer: new FrameWriter(buffer, peer) }
}

/** What a writer writes, as hex. */
function written(write: (writer: FrameWriter) => void): string {
  const { buffer, writer } = newWriter()
  write(writer)
  return buffer.take().toString('hex')
}

function putHeaders(
  { buffer, writer }: { buffer: WriteBuffer; writer: FrameWriter },
  streamId: number,
  block: Uint8Array,
  endStream: boolean,
): void {
  const start = writer.startHeaders(streamId, block.length)
  buffer.bytes.set(block, start)
  writer.endHeaders(start + block.length, endStream)
}

describe('FrameWriter', () => {
  it('writes each frame as the RFC draws it', () => {
    const ping = Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8)
    const samples: [(writer: FrameWriter) => void, hex: string][] = [
      [(w) => w.settings([[3, 0xffffffff]]), '000006 04 00 00000000 0003 ffffffff'],
      [(w) => w.settingsAck(), '000000 04 01 00000000'],
      [(w) => w.ping(ping, false), '000008 06 00 00000000 0102030405060708'],
      [(w) => w.ping(ping, true), '000008 06 01 00000000 0102030405060708'],
      [(w) => w.goaway(0, 2, Uint8Array.of(0x41)), '000009 07 00 00000000 00000000 00000002 41'],
      [(w) => w.rstStream(2 ** 31 - 1, 8), '000004 03 00 7fffffff 00000008'],
      [(w) => w.windowUpdate(0, 2 ** 31 - 1), '000004 08 00 00000000 7fffffff'],
      [(w) => w.windowUpdate(1, 1), '000004 08 00 00000001 00000001'],
      [(w) => w.data(1, Buffer.from('abcd'), 1, 3, true), '000002 00 01 00000001 6263'],
      [(w) => w.data(1, Buffer.alloc(0), 0, 0, true), '000000 00 01 00000001'],
    ]
    for (const [write, hex] of samples) assert.equal(written(write), hex.replaceAll(' ', ''))
  })

  it('opens a connection with the preface and our settings, pushes ruled out', () => {
    const hex = written((writer) => writer.preface(encodeOwnSettings(DEFAULT_OWN_SETTINGS)))
    const preface = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n').toString('hex')
    assert.equal(
      hex,
      `${preface} 000012 04 00 00000000 0001 00000000 0002 00000000 0006 00008000`.replaceAll(
        ' ',
        '',
      ),
    )
  })

  it('writes HEADERS around a block that was encoded in place', () => {
    const kit = newWriter()
    putHeaders(kit, 5, Uint8Array.of(0x83, 0x87), false)
    putHeaders(kit, 7, Uint8Array.of(0x83), true)
    assert.equal(
      kit.buffer.take().toString('hex'),
      '000002 01 04 00000005 8387 000001 01 05 00000007 83'.replaceAll(' ', ''),
    )
  })

  it('cuts a block and DATA at the peer’s MAX_FRAME_SIZE, which may change', () => {
    const block = Buffer.from('0123456789')
    const kit = newWriter(4)
    putHeaders(kit, 1, block, true)
    kit.writer.data(1, block, 1, 10, true)
    kit.peer.maxFrameBytes = 5
    putHeaders(kit, 3, block, false)
    assert.equal(
      kit.buffer.take().toString('hex'),
      `000004 01 01 00000001 30313233  000004 09 00 00000001 34353637  000002 09 04 00000001 3839
       000004 00 00 00000001 31323334  000004 00 00 00000001 35363738  000001 00 01 00000001 39
       000005 01 00 00000003 3031323334  000005 09 04 00000003 3536373839`.replaceAll(/\s/g, ''),
    )
  })

  it('leaves a block of exactly the peer’s MAX_FRAME_SIZE whole', () => {
    const kit = newWriter(4)
    putHeaders(kit, 1, Buffer.from('0123'), false)
    assert.equal(kit.buffer.take().toString('hex'), '00000401040000000130313233')
  })

  it('takes a block that fills its buffer to the last byte', () => {
    const { buffer, writer } = newWriter(2 ** 24 - 1)
    const start = writer.startHeaders(1, WRITE_BUFFER_BYTES - 9)
    writer.endHeaders(buffer.bytes.length, false)
    assert.equal(start, 9)
    assert.equal(buffer.take().length, WRITE_BUFFER_BYTES)
  })

  it('refuses its caller’s mistakes', () => {
    const { writer, buffer } = newWriter()
    const mistakes = [
      () => writer.ping(new Uint8Array(7), false),
      () => writer.windowUpdate(0, 0),
      () => writer.windowUpdate(0, 2 ** 31),
      () => writer.endHeaders(9, false),
    ]
    for (const mistake of mistakes) assert.throws(mistake, RangeError)
    const start = writer.startHeaders(1, 10)
    assert.throws(() => writer.settingsAck(), RangeError)
    assert.throws(() => writer.startHeaders(3, 10), RangeError)
    assert.throws(() => writer.endHeaders(start - 1, false), RangeError)
    assert.throws(() => writer.endHeaders(buffer.bytes.length + 1, false), RangeError)
  })
})

describe('what a FrameWriter writes, a FrameReader reads', () => {
  type Kit = ReturnType<typeof newWriter>
  type Step = { readonly write: (kit: Kit) => void; readonly event: string | null }

  const streamId = fc.integer({ min: 0, max: 2 ** 30 - 1 }).map((n) => 2 * n + 1)
  const uint32 = fc.nat({ max: 0xffffffff })
  const payload = fc.uint8Array({ maxLength: 100 })
  const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex')
  const flag = (on: boolean, name: string): string => (on ? ` ${name}` : '')

  const step: fc.Arbitrary<Step> = fc.oneof(
    fc.tuple(streamId, payload, fc.boolean()).map(([id, bytes, end]) => ({
      write: ({ writer }: Kit) => writer.data(id, bytes, 0, bytes.length, end),
      event: `DATA ${id} [${hex(bytes)}]${flag(end, 'END_STREAM')} counts ${bytes.length}`,
    })),
    fc.tuple(streamId, fc.uint8Array({ maxLength: 300 }), fc.boolean()).map(([id, block, end]) => ({
      write: (kit: Kit) => putHeaders(kit, id, block, end),
      event: `HEADERS ${id} [${hex(block)}]${flag(end, 'END_STREAM')}`,
    })),
    fc.tuple(streamId, fc.nat({ max: 1 })).map(([id, code]) => ({
      write: ({ writer }: Kit) => writer.rstStream(id, code),
      event: `RST_STREAM ${id} ${code === 0 ? 'NO_ERROR' : 'PROTOCOL_ERROR'}`,
    })),
    fc.array(fc.tuple(fc.integer({ min: 7, max: 0xffff }), uint32)).map((settings: Setting[]) => ({
      write: ({ writer }: Kit) => writer.settings(settings),
      event: `SETTINGS ${settings.map(([id, value]) => `${id}=${value}`).join(' ')}`.trim(),
    })),
    fc.constant({ write: ({ writer }: Kit) => writer.settingsAck(), event: 'SETTINGS ACK' }),
    fc.tuple(fc.uint8Array({ minLength: 8, maxLength: 8 }), fc.boolean()).map(([bytes, ack]) => ({
      write: ({ writer }: Kit) => writer.ping(bytes, ack),
      event: `PING [${hex(bytes)}]${flag(ack, 'ACK')}`,
    })),
    fc.tuple(streamId, payload).map(([id, bytes]) => ({
      write: ({ writer }: Kit) => writer.goaway(id, 0, bytes),
      event: `GOAWAY ${id} NO_ERROR [${hex(bytes)}]`,
    })),
    fc
      .tuple(fc.oneof(streamId, fc.constant(0)), fc.integer({ min: 1, max: 2 ** 31 - 1 }))
      .map(([id, bytes]) => ({
        write: ({ writer }: Kit) => writer.windowUpdate(id, bytes),
        event: `WINDOW_UPDATE ${id} ${bytes}`,
      })),
  )

  it('the same, however it is cut, with turns in between and blocks of several frames', () => {
    const cuts = fc.array(fc.nat({ max: 400 }), { maxLength: 20 })
    fc.assert(
      fc.property(
        fc.array(step, { maxLength: 30 }),
        cuts,
        fc.nat({ max: 9 }),
        (steps, sizes, turn) => {
          // less than any peer may set, so that CONTINUATION comes often; DATA fits
          const kit = newWriter(100)
          const chunks: Buffer[] = [SERVER_PREFACE]
          for (const [i, { write }] of steps.entries()) {
            write(kit)
            if (i % (turn + 1) === 0) chunks.push(kit.buffer.take())
          }
          chunks.push(kit.buffer.take())
          const events = record(cut(Buffer.concat(chunks), sizes))
          assert.deepEqual(events, ['SETTINGS', ...steps.map(({ event }) => event)])
        },
      ),
      { numRuns: 500 },
    )
  })
})

/** Cuts `bytes` into chunks of the given sizes, and what is left. */
function cut(bytes: Buffer, sizes: number[]): Buffer[] {
  let offset = 0
  const chunks = sizes.map((size) => {
    const chunk = bytes.subarray(offset, offset + size)
    offset += size
    return chunk
  })
  return [...chunks, bytes.subarray(offset)]
}
