import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { ENHANCE_YOUR_CALM, Http2Error } from './errors.ts'
import { DEFAULT_FRAME_READER_LIMITS, FrameReader } from './frame-reader.ts'
import { FrameRecorder, fromHex, record } from './frame-recorder.ts'

const PREFACE = '000000 04 00 00000000'

/** Frames after an empty SETTINGS, and what is to come of them. */
const SAMPLES: Record<string, [hex: string, events: string[]]> = {
  'DATA, and its end': [
    '000002 00 00 00000001 6869  000000 00 01 00000001',
    ['DATA 1 [6869] counts 2', 'DATA 1 [] END_STREAM counts 0'],
  ],
  'DATA with padding, and with nothing but padding': [
    '000006 00 09 00000003 03 6869 000000  000004 00 08 00000003 03 000000  000001 00 08 00000003 00',
    ['DATA 3 [6869] END_STREAM counts 6', 'DATA 3 [] counts 4', 'DATA 3 [] counts 1'],
  ],
  'an answer of one byte': ['000001 01 05 00000001 88', ['HEADERS 1 [88] END_STREAM']],
  'an answer with a body': [
    '000002 01 04 00000005 8d61  000002 00 01 00000005 7b7d',
    ['HEADERS 5 [8d61]', 'DATA 5 [7b7d] END_STREAM counts 2'],
  ],
  'HEADERS with padding': ['000004 01 0d 00000007 02 88 0000', ['HEADERS 7 [88] END_STREAM']],
  'HEADERS with priority': ['000006 01 25 00000007 80000003 ff 88', ['HEADERS 7 [88] END_STREAM']],
  'HEADERS with padding and priority': [
    '000008 01 2c 00000007 01 00000003 ff 88 00  000007 01 2c 00000007 01 00000003 ff 00',
    ['HEADERS 7 [88]', 'HEADERS 7 []'],
  ],
  'HEADERS and CONTINUATIONs, one of them empty': [
    `000003 01 09 00000009 01 88 00  000000 09 00 00000009  000001 09 00 00000009 61
     000002 09 04 00000009 6263`,
    ['HEADERS 9 [88616263] END_STREAM'],
  ],
  'HEADERS without a fragment, and the next block after it': [
    '000000 01 00 00000009  000001 09 04 00000009 88  000001 01 04 0000000b 89',
    ['HEADERS 9 [88]', 'HEADERS 11 [89]'],
  ],
  'PRIORITY, which is ignored': ['000005 02 00 00000002 00000001 10', []],
  RST_STREAM: [
    '000004 03 00 00000001 00000007  000004 03 00 7fffffff fffffffe',
    ['RST_STREAM 1 REFUSED_STREAM', 'RST_STREAM 2147483647 0xfffffffe'],
  ],
  'SETTINGS at the ends of their ranges': [
    `00002a 04 00 00000000 0001 00000000 0002 00000000 0003 ffffffff 0004 7fffffff 0005 00ffffff
     0006 00000001 00ff 12345678  000006 04 00 00000000 0005 00004000`,
    ['SETTINGS 1=0 2=0 3=4294967295 4=2147483647 5=16777215 6=1 255=305419896', 'SETTINGS 5=16384'],
  ],
  'SETTINGS with ACK': ['000000 04 01 00000000', ['SETTINGS ACK']],
  'PING, and its answer': [
    '000008 06 00 00000000 0102030405060708  000008 06 01 00000000 0102030405060708',
    ['PING [0102030405060708]', 'PING [0102030405060708] ACK'],
  ],
  GOAWAY: [
    '000008 07 00 00000000 7fffffff 00000000  00000a 07 00 00000000 00000005 0000000b 7b7d',
    ['GOAWAY 2147483647 NO_ERROR []', 'GOAWAY 5 ENHANCE_YOUR_CALM [7b7d]'],
  ],
  WINDOW_UPDATE: [
    '000004 08 00 00000000 7fffffff  000004 08 00 00000001 00000001',
    ['WINDOW_UPDATE 0 2147483647', 'WINDOW_UPDATE 1 1'],
  ],
  'unknown types, on any stream': [
    '000003 0a 00 00000000 414243  000000 ff ff 00000002  000001 01 05 00000001 88',
    ['HEADERS 1 [88] END_STREAM'],
  ],
  'reserved bits and flags without meaning, which are ignored': [
    `000001 01 d5 80000001 88  000004 08 ff 80000001 80000001  000008 07 ff 80000000 80000001 00000000
     000008 06 fe 80000000 0000000000000000  000000 04 ff 80000000`,
    [
      'HEADERS 1 [88] END_STREAM',
      'WINDOW_UPDATE 1 1',
      'GOAWAY 1 NO_ERROR []',
      'PING [0000000000000000]',
      'SETTINGS ACK',
    ],
  ],
}

/** What one stream did wrong; the rest goes on. */
const STREAM_ERRORS: Record<string, [hex: string, error: string]> = {
  'WINDOW_UPDATE by 0': ['000004 08 00 00000003 00000000', 'PROTOCOL_ERROR closes stream 3'],
  'WINDOW_UPDATE by 0 with the reserved bit': [
    '000004 08 00 00000003 80000000',
    'PROTOCOL_ERROR closes stream 3',
  ],
  'PRIORITY of 4 bytes': ['000004 02 00 00000003 00000000', 'FRAME_SIZE_ERROR closes stream 3'],
  'PRIORITY of 6 bytes': ['000006 02 00 00000003 000000000000', 'FRAME_SIZE_ERROR closes stream 3'],
}

const SIZE = 'FRAME_SIZE_ERROR closes the connection'
const PROTOCOL = 'PROTOCOL_ERROR closes the connection'
const FLOW = 'FLOW_CONTROL_ERROR closes the connection'

/** What ends the connection. */
const CONNECTION_ERRORS: Record<string, [hex: string, error: string]> = {
  'a frame one byte past MAX_FRAME_SIZE': ['004001 01 04 00000001', SIZE],
  'DATA past MAX_FRAME_SIZE': ['004001 00 00 00000001', SIZE],
  'an unknown frame past MAX_FRAME_SIZE': ['ffffff fe 00 00000001', SIZE],
  'DATA on stream 0': ['000000 00 00 00000000', PROTOCOL],
  'DATA on stream 0, the reserved bit set': ['000000 00 00 80000000', PROTOCOL],
  'DATA on an even stream': ['000000 00 00 00000002', PROTOCOL],
  'DATA with PADDED, but empty': ['000000 00 08 00000001', SIZE],
  'DATA with padding as long as the frame': ['000002 00 08 00000001 02 00', PROTOCOL],
  'DATA with padding longer than the frame': ['000001 00 08 00000001 01', PROTOCOL],
  'HEADERS on stream 0': ['000001 01 04 00000000 88', PROTOCOL],
  'HEADERS on an even stream': ['000001 01 04 00000002 88', PROTOCOL],
  'HEADERS with PADDED, but empty': ['000000 01 0c 00000001', SIZE],
  'HEADERS too short for their priority': ['000004 01 24 00000001 00000000', SIZE],
  'HEADERS too short for padding and priority': ['000005 01 2c 00000001 0000000000', SIZE],
  'HEADERS with padding longer than the rest': ['000002 01 0c 00000001 02 88', PROTOCOL],
  'HEADERS with padding that reaches into the priority': [
    '000006 01 2c 00000001 01 0000000000',
    PROTOCOL,
  ],
  'PRIORITY on stream 0': ['000005 02 00 00000000 0000000000', PROTOCOL],
  'RST_STREAM on stream 0': ['000004 03 00 00000000 00000000', PROTOCOL],
  'RST_STREAM on an even stream': ['000004 03 00 00000004 00000000', PROTOCOL],
  'RST_STREAM of 3 bytes': ['000003 03 00 00000001 000000', SIZE],
  'RST_STREAM of 5 bytes': ['000005 03 00 00000001 0000000000', SIZE],
  'SETTINGS on a stream': ['000000 04 00 00000001', PROTOCOL],
  'SETTINGS with ACK on a stream': ['000000 04 01 00000001', PROTOCOL],
  'SETTINGS with ACK and a payload': ['000006 04 01 00000000 000100000000', SIZE],
  'SETTINGS of 5 bytes': ['000005 04 00 00000000 0001000000', SIZE],
  'SETTINGS of 7 bytes': ['000007 04 00 00000000 00010000000000', SIZE],
  'ENABLE_PUSH 1': ['000006 04 00 00000000 0002 00000001', PROTOCOL],
  'ENABLE_PUSH 2': ['000006 04 00 00000000 0002 00000002', PROTOCOL],
  'INITIAL_WINDOW_SIZE past 2^31-1': ['000006 04 00 00000000 0004 80000000', FLOW],
  'MAX_FRAME_SIZE under 2^14': ['000006 04 00 00000000 0005 00003fff', PROTOCOL],
  'MAX_FRAME_SIZE past 2^24-1': ['000006 04 00 00000000 0005 01000000', PROTOCOL],
  'a second entry that is wrong': ['00000c 04 00 00000000 0003 00000001 0002 00000001', PROTOCOL],
  PUSH_PROMISE: ['000005 05 04 00000001 00000002 82', PROTOCOL],
  'PING on a stream': ['000008 06 00 00000001 0000000000000000', PROTOCOL],
  'PING of 7 bytes': ['000007 06 00 00000000 00000000000000', SIZE],
  'PING of 9 bytes': ['000009 06 01 00000000 000000000000000000', SIZE],
  'GOAWAY on a stream': ['000008 07 00 00000001 0000000000000000', PROTOCOL],
  'GOAWAY of 7 bytes': ['000007 07 00 00000000 00000000000000', SIZE],
  'WINDOW_UPDATE of 3 bytes': ['000003 08 00 00000001 000001', SIZE],
  'WINDOW_UPDATE of 5 bytes': ['000005 08 00 00000000 0000000001', SIZE],
  'WINDOW_UPDATE by 0 on stream 0': ['000004 08 00 00000000 00000000', PROTOCOL],
  'WINDOW_UPDATE on an even stream': ['000004 08 00 00000002 00000001', PROTOCOL],
  'CONTINUATION without HEADERS': ['000001 09 04 00000001 88', PROTOCOL],
  'CONTINUATION on stream 0': ['000001 09 04 00000000 88', PROTOCOL],
  'CONTINUATION on stream 0 within a block': [
    '000001 01 00 00000001 88 000001 09 04 00000000 88',
    PROTOCOL,
  ],
  'CONTINUATION of another stream': ['000001 01 00 00000001 88 000001 09 04 00000003 88', PROTOCOL],
  'HEADERS within a block': ['000001 01 00 00000001 88 000001 01 04 00000001 88', PROTOCOL],
  'DATA within a block': ['000001 01 00 00000001 88 000000 00 00 00000001', PROTOCOL],
  'PRIORITY within a block': [
    '000001 01 00 00000001 88 000005 02 00 00000001 0000000000',
    PROTOCOL,
  ],
  'SETTINGS within a block': ['000001 01 00 00000001 88 000000 04 01 00000000', PROTOCOL],
  'an unknown frame within a block': ['000001 01 00 00000001 88 000000 2a 00 00000001', PROTOCOL],
}

const FIRST_FRAMES: Record<string, string> = {
  'SETTINGS with ACK': '000000 04 01 00000000',
  PING: '000008 06 00 00000000 0000000000000000',
  GOAWAY: '000008 07 00 00000000 0000000000000000',
  'an unknown frame': '000000 2a 00 00000000',
  'an answer in HTTP/1': Buffer.from('HTTP/1.1 400 Bad Request\r\n').toString('hex'),
  'SETTINGS on a stream': '000000 04 00 00000001',
}

const byteByByte = (bytes: Uint8Array): Uint8Array[] =>
  Array.from(bytes, (byte) => Uint8Array.of(byte))

/** Reads the bytes whole, byte by byte, and cut in two at each offset; each time the same must come of it. */
function assertEvents(bytes: Uint8Array, events: string[]): void {
  assert.deepEqual(record([bytes]), events)
  assert.deepEqual(record(byteByByte(bytes)), events, 'byte by byte')
  for (let cut = 0; cut <= bytes.length; cut += 1)
    assert.deepEqual(record([bytes.subarray(0, cut), bytes.subarray(cut)]), events, `cut at ${cut}`)
}

describe('FrameReader', () => {
  for (const [name, [hex, events]] of Object.entries(SAMPLES))
    it(`reads ${name}`, () => assertEvents(fromHex(PREFACE + hex), ['SETTINGS', ...events]))

  for (const [name, [hex, error]] of Object.entries(STREAM_ERRORS))
    it(`tells of ${name} and reads on`, () => {
      const bytes = fromHex(`${PREFACE} ${hex} 000001 01 05 00000001 88`)
      assertEvents(bytes, ['SETTINGS', error, 'HEADERS 1 [88] END_STREAM'])
    })

  for (const [name, [hex, error]] of Object.entries(CONNECTION_ERRORS))
    it(`refuses ${name}, after what came before it`, () => {
      const bytes = fromHex(`${PREFACE} 000001 01 05 00000001 88 ${hex}`)
      assertEvents(bytes, ['SETTINGS', 'HEADERS 1 [88] END_STREAM', error])
    })

  for (const [name, hex] of Object.entries(FIRST_FRAMES))
    it(`refuses ${name} as the first frame`, () => assertEvents(fromHex(hex), [PROTOCOL]))

  it('says what was wrong, with its length', () => {
    const messages = {
      '000007 06 00 00000000 00000000000000': 'PING of 7 bytes',
      '000007 07 00 00000000 00000000000000': 'GOAWAY of 7 bytes',
      '000003 03 00 00000001 000000': 'RST_STREAM of 3 bytes',
      '000005 04 00 00000000 0001000000': 'SETTINGS of 5 bytes',
      '000003 08 00 00000001 000001': 'WINDOW_UPDATE of 3 bytes',
      '000000 00 00 00000002': 'DATA on stream 2, which is none of ours',
      '000008 05 04 00000000 0000000000000000': 'PUSH_PROMISE, which our SETTINGS rule out',
      '004001 fe 00 00000000': 'type 0xfe of 16385 bytes, past 16384',
    }
    for (const [hex, message] of Object.entries(messages)) {
      const reader = new FrameReader(new FrameRecorder())
      assert.throws(() => reader.read(fromHex(PREFACE + hex)), { name: 'Http2Error', message })
    }
  })

  it('tells a peer that speaks HTTP/1 from one that starts with another frame', () => {
    const messages = {
      [Buffer.from('HTTP/1.1 400').toString('hex')]: 'the peer speaks HTTP/1',
      '485454 51 00 00000000': 'the first frame is type 0x51, not the server’s SETTINGS',
      '000000 50 00 00000000': 'the first frame is type 0x50, not the server’s SETTINGS',
    }
    for (const [hex, message] of Object.entries(messages)) {
      const reader = new FrameReader(new FrameRecorder())
      assert.throws(() => reader.read(fromHex(hex)), { name: 'Http2Error', message })
    }
  })

  it('counts what it holds of a frame and of a block that are not whole yet', () => {
    const reader = new FrameReader(new FrameRecorder())
    reader.read(fromHex(`${PREFACE} 000002 01 00 00000001 8888 000001 09 04`))
    assert.equal(reader.heldBytes, 2 + 5)
    reader.read(fromHex('00000001 88'))
    assert.equal(reader.heldBytes, 0)
  })

  it('reads a frame of MAX_FRAME_SIZE, and one longer where more was announced', () => {
    const frame = (payloadBytes: number): Buffer =>
      Buffer.concat([
        fromHex(`${PREFACE} 00${payloadBytes.toString(16)} 00 00 00000001`),
        Buffer.alloc(payloadBytes),
      ])
    assert.match(record([frame(0x4000)])[1]!, /counts 16384$/)
    const limits = { ...DEFAULT_FRAME_READER_LIMITS, maxFrameBytes: 0x4001 }
    assert.match(record([frame(0x4001)], limits)[1]!, /counts 16385$/)
    assert.deepEqual(record([frame(0x4001)])[1], SIZE)
  })

  it('refuses an oversized frame as soon as its header is there', () => {
    assert.deepEqual(record([fromHex(PREFACE), fromHex('004001 00 00 00000001')]), [
      'SETTINGS',
      SIZE,
    ])
  })

  it('hands on a whole frame where it lies in the chunk', () => {
    const chunk = fromHex(`${PREFACE} 000001 01 05 00000001 88`)
    let seen: Uint8Array | null = null
    const recorder = new FrameRecorder()
    recorder.headers = (_streamId, bytes) => {
      seen = bytes
    }
    new FrameReader(recorder).read(chunk)
    assert.equal(seen, chunk)
  })

  it('reads nothing after an error', () => {
    const recorder = new FrameRecorder()
    const reader = new FrameReader(recorder)
    assert.throws(() => reader.read(fromHex('000000 2a 00 00000000')), Http2Error)
    reader.read(fromHex(PREFACE))
    assert.deepEqual(recorder.events, [])
    assert.equal(reader.heldBytes, 0)
  })

  it('reads nothing of the chunk in hand once the handler has stopped it', () => {
    const goaway = '000008 07 00 00000000 0000000000000000'
    const bytes = fromHex(`${PREFACE} ${goaway} 000001 01 05 00000001 88 0000`)
    for (const chunks of [[bytes], [bytes.subarray(0, 12), bytes.subarray(12)]]) {
      const recorder = new FrameRecorder()
      const reader = new FrameReader(recorder)
      recorder.goaway = () => reader.stop()
      for (const chunk of chunks) reader.read(chunk)
      assert.deepEqual(recorder.events, ['SETTINGS'])
      assert.equal(reader.heldBytes, 0)
    }
  })

  it('lets out what the handler throws, and reads nothing after it', () => {
    const recorder = new FrameRecorder()
    const reader = new FrameReader(recorder)
    const mistake = new Error('the handler’s own')
    recorder.settings = () => {
      throw mistake
    }
    assert.throws(() => reader.read(fromHex(PREFACE)), mistake)
    reader.read(fromHex('000000 04 01 00000000'))
    assert.deepEqual(recorder.events, [])
  })

  it('refuses limits out of the range of the RFC', () => {
    for (const maxFrameBytes of [0, 2 ** 14 - 1, 2 ** 24])
      assert.throws(
        () =>
          new FrameReader(new FrameRecorder(), { ...DEFAULT_FRAME_READER_LIMITS, maxFrameBytes }),
        RangeError,
      )
  })
})

describe('FrameReader, against a flood', () => {
  const CALM = 'ENHANCE_YOUR_CALM closes the connection'
  const limits = { maxFrameBytes: 16_384, maxHeaderBlockBytes: 4, maxContinuations: 2 }
  const read = (hex: string): string[] => record([fromHex(PREFACE + hex)], limits).slice(1)
  const CONTINUATION = '000001 09 00 00000001 62'

  it('takes a block of exactly its bounds', () => {
    assert.deepEqual(read('000004 01 04 00000001 61626364'), ['HEADERS 1 [61626364]'])
    assert.deepEqual(read(`000002 01 00 00000001 6161 ${CONTINUATION} 000001 09 04 00000001 62`), [
      'HEADERS 1 [61616262]',
    ])
  })

  it('refuses a block of too many bytes, in one frame or several', () => {
    assert.deepEqual(read('000005 01 04 00000001 6162636465'), [CALM])
    assert.deepEqual(read(`000004 01 00 00000001 61616161 ${CONTINUATION}`), [CALM])
  })

  it('refuses too many CONTINUATIONs, even empty ones, even if the last ends the block', () => {
    const empty = '000000 09 00 00000001'
    assert.deepEqual(read(`000000 01 00 00000001 ${empty} ${empty} 000000 09 04 00000001`), [CALM])
  })

  it('counts anew for the next block', () => {
    const block = `000001 01 00 00000001 61 ${CONTINUATION} 000001 09 04 00000001 63`
    assert.deepEqual(read(block + block), ['HEADERS 1 [616263]', 'HEADERS 1 [616263]'])
  })

  it('holds no more than a frame and a block, whatever comes', () => {
    const recorder = new FrameRecorder()
    const reader = new FrameReader(recorder)
    const bound = 9 + 16_384 + DEFAULT_FRAME_READER_LIMITS.maxHeaderBlockBytes
    reader.read(fromHex(`${PREFACE} 000001 01 00 00000001 88`))
    const continuation = Buffer.alloc(9 + 16_384)
    continuation.set(fromHex('004000 09 00 00000001'))
    const flood = (): void => {
      for (let i = 0; i < 1000; i += 1) {
        reader.read(continuation.subarray(0, 16_000))
        assert.ok(reader.heldBytes <= bound)
        reader.read(continuation.subarray(16_000))
        assert.ok(reader.heldBytes <= bound)
      }
    }
    assert.throws(
      flood,
      (error) => error instanceof Http2Error && error.errorCode === ENHANCE_YOUR_CALM,
    )
    assert.equal(reader.heldBytes, 0)
  })
})

describe('FrameReader, fuzzed', () => {
  /** Bytes that look like frames: short, of the RFC's types mostly, on a few streams. */
  const frame = fc
    .record({
      payload: fc.uint8Array({ maxLength: 20 }),
      type: fc.nat({ max: 11 }),
      flags: fc.nat({ max: 255 }),
      streamId: fc.constantFrom(0, 0, 1, 1, 1, 2, 3, 2 ** 31),
      lie: fc.constantFrom(0, 0, 0, 0, 0, 1, 0x4000),
    })
    .map(({ payload, type, flags, streamId, lie }) => {
      const header = Buffer.alloc(9)
      header.writeUIntBE(payload.length + lie, 0, 3)
      header[3] = type
      header[4] = flags
      header.writeUInt32BE(streamId, 5)
      return Buffer.concat([header, payload])
    })

  it('takes any bytes, cut anyhow, with no other error than its own and within its memory', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 64 })), fc.boolean(), (chunks, opened) => {
        record(opened ? [fromHex(PREFACE), ...chunks] : chunks)
      }),
      { numRuns: 2000 },
    )
  })

  it('makes the same of any frames, whole or byte by byte', () => {
    fc.assert(
      fc.property(fc.array(frame, { maxLength: 8 }), (frames) => {
        const bytes = Buffer.concat([fromHex(PREFACE), ...frames])
        assert.deepEqual(record(byteByByte(bytes)), record([bytes]))
      }),
      { numRuns: 2000 },
    )
  })
})
