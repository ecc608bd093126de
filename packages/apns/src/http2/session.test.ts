import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { CANCEL, INTERNAL_ERROR, NO_ERROR, REFUSED_STREAM } from './errors.ts'
import {
  SETTINGS_HEADER_TABLE_SIZE,
  SETTINGS_INITIAL_WINDOW_SIZE,
  SETTINGS_MAX_CONCURRENT_STREAMS,
  WINDOW_UPDATE,
} from './frame-types.ts'
import {
  dataBytes,
  encodeFrame,
  encodeInserted,
  OK,
  OPENING,
  openPeer,
  ScriptedPeer,
  typesOf,
} from './scripted-peer.ts'

/** `:status: 200` as an index. */
const STATUS_200 = Buffer.from([0x88])
const none = new Uint8Array(0)

describe('a session', () => {
  it('opens with preface, SETTINGS and a wider window, acknowledges SETTINGS and tells of them', async () => {
    const peer = new ScriptedPeer()
    assert.deepEqual(await peer.sent(), OPENING)
    for (const limit of [1, 1000])
      peer.send((writer) => writer.settings([[SETTINGS_MAX_CONCURRENT_STREAMS, limit]]))
    assert.deepEqual(await peer.sent(), ['SETTINGS ACK', 'SETTINGS ACK'])
    assert.deepEqual(peer.told, ['settings 1', 'settings 1000'])
  })

  it('writes a request whole, in one write, and a repeated field in one byte', async () => {
    const peer = openPeer()
    let writes = 0
    const { onWritten } = peer.socket
    peer.socket.onWritten = (bytes) => {
      writes += 1
      onWritten(bytes)
    }
    peer.request('{"a":1}')
    peer.request('{"a":1}')
    const frames = await peer.sent()
    assert.equal(writes, 1)
    const fields = ':method=POST :path=/3/device/ab apns-topic=a.b'
    const [first = '', firstData, second, secondData] = frames
    assert.match(first, new RegExp(`^HEADERS 1 ${fields} \\(\\d+\\)$`))
    // :method by the static table, the others by the dynamic one
    assert.equal(second, `HEADERS 3 ${fields} (3)`)
    assert.match(firstData ?? '', /^DATA 1 \[.*\] END_STREAM/)
    assert.match(secondData ?? '', /^DATA 3 \[.*\] END_STREAM/)
  })

  it('gives back an answer with its fields and its body, in however many frames', () => {
    const peer = openPeer()
    const [plain, rejected] = [peer.request(), peer.request()]
    peer.headers(3, { ':status': '400', 'apns-id': 'x' }, false)
    peer.headers(1, OK, true)
    for (const text of ['{"reason":', '"BadTopic"}'])
      peer.send((writer) => writer.data(3, Buffer.from(text), 0, text.length, false))
    peer.headers(3, { trailer: 'x' }, true)
    assert.deepEqual(plain, [{ type: 'answer', answer: { status: 200, fields: {}, body: '' } }])
    const answer = { status: 400, fields: { 'apns-id': 'x' }, body: '{"reason":"BadTopic"}' }
    assert.deepEqual(rejected, [{ type: 'answer', answer }])
  })

  it('waits for the answer behind an interim one', () => {
    const peer = openPeer()
    const ends = peer.request()
    peer.headers(1, { ':status': '103' }, false)
    assert.deepEqual(ends, [])
    peer.headers(1, OK, true)
    assert.deepEqual(typesOf(ends), ['answer'])
  })

  const malformed: [string, [string, string][], boolean][] = [
    ['without :status', [['apns-id', 'x']], true],
    [
      'with :status twice',
      [
        [':status', '200'],
        [':status', '200'],
      ],
      true,
    ],
    [
      'with :status behind a field',
      [
        ['a', 'b'],
        [':status', '200'],
      ],
      true,
    ],
    ['with another pseudo-header field', [[':path', '/']], true],
    [
      'with an upper-case name',
      [
        [':status', '200'],
        ['Apns-Id', 'x'],
      ],
      true,
    ],
    [
      'with a field of the connection',
      [
        [':status', '200'],
        ['connection', 'close'],
      ],
      true,
    ],
    ['that is interim and the last', [[':status', '100']], true],
  ]
  for (const [what, fields, endStream] of malformed)
    it(`resets the stream of an answer ${what}, and goes on`, async () => {
      const peer = openPeer()
      const [broken, other] = [peer.request(), peer.request()]
      await peer.sent()
      peer.headers(1, fields, endStream)
      assert.deepEqual(typesOf(broken), ['inDoubt'])
      assert.deepEqual(await peer.sent(), ['RST_STREAM 1 PROTOCOL_ERROR'])
      peer.headers(3, OK, true)
      assert.deepEqual(typesOf(other), ['answer'])
    })

  it('resets the stream of DATA before HEADERS', async () => {
    const peer = openPeer()
    const ends = peer.request()
    await peer.sent()
    peer.send((writer) => writer.data(1, Buffer.from('x'), 0, 1, false))
    assert.deepEqual(typesOf(ends), ['inDoubt'])
    assert.deepEqual(await peer.sent(), ['RST_STREAM 1 PROTOCOL_ERROR'])
  })

  it('takes REFUSED_STREAM for not processed, and any other reset for in doubt', () => {
    const peer = openPeer()
    const [refused, reset] = [peer.request(), peer.request()]
    peer.send((writer) => writer.rstStream(1, REFUSED_STREAM))
    peer.send((writer) => writer.rstStream(3, INTERNAL_ERROR))
    assert.deepEqual(typesOf(refused), ['notProcessed'])
    assert.deepEqual(typesOf(reset), ['inDoubt'])
  })

  it('gives back what is above the last stream of a GOAWAY, each time it is lowered, and takes nothing new', () => {
    const peer = openPeer()
    const [one, three, five] = [peer.request(), peer.request(), peer.request()]
    peer.send((writer) => writer.goaway(2 ** 31 - 1, NO_ERROR, Buffer.from('soon')))
    assert.deepEqual([one, three, five], [[], [], []])
    assert.deepEqual(typesOf(peer.request()), ['notProcessed'])
    peer.send((writer) => writer.goaway(3, NO_ERROR, none))
    assert.deepEqual(typesOf(five), ['notProcessed'])
    peer.send((writer) => writer.goaway(1, NO_ERROR, none))
    assert.deepEqual(typesOf(three), ['notProcessed'])
    peer.headers(1, OK, true)
    assert.deepEqual(typesOf(one), ['answer'])
    assert.equal(peer.told[1], `goaway 0 ${2 ** 31 - 1} soon`)
  })

  it('splits a payload across the connection’s window, and sends what waits behind it in order', async () => {
    const peer = openPeer([SETTINGS_INITIAL_WINDOW_SIZE, 1_000_000])
    peer.request('x'.repeat(70_000))
    peer.request('y')
    assert.equal(
      dataBytes(await peer.sent()).reduce((sum, bytes) => sum + bytes, 0),
      65_535,
    )
    peer.send((writer) => writer.windowUpdate(0, 4465))
    assert.deepEqual(dataBytes(await peer.sent()), [4465])
    peer.send((writer) => writer.windowUpdate(0, 10))
    assert.deepEqual(dataBytes(await peer.sent()), [1])
  })

  it('keeps to a stream’s window, also where SETTINGS make it negative', async () => {
    const peer = openPeer([SETTINGS_INITIAL_WINDOW_SIZE, 10])
    peer.request('x'.repeat(30))
    assert.deepEqual(dataBytes(await peer.sent()), [10])
    peer.send((writer) => writer.settings([[SETTINGS_INITIAL_WINDOW_SIZE, 5]]))
    peer.send((writer) => writer.windowUpdate(1, 5))
    assert.deepEqual(dataBytes(await peer.sent()), [])
    peer.send((writer) => writer.windowUpdate(1, 3))
    assert.deepEqual(dataBytes(await peer.sent()), [3])
    peer.send((writer) => writer.settings([[SETTINGS_INITIAL_WINDOW_SIZE, 100]]))
    assert.deepEqual(dataBytes(await peer.sent()), [17])
  })

  it('lets a small payload pass one that waits for its own window', async () => {
    const peer = openPeer([SETTINGS_INITIAL_WINDOW_SIZE, 10])
    peer.request('x'.repeat(11))
    peer.request('y')
    assert.deepEqual(dataBytes(await peer.sent()), [10, 1])
  })

  it('ends the stream or the connection whose window overflows', async () => {
    const peer = openPeer([SETTINGS_INITIAL_WINDOW_SIZE, 1])
    const ends = peer.request('xx')
    await peer.sent()
    peer.send((writer) => writer.windowUpdate(1, 2 ** 31 - 1))
    peer.send((writer) => writer.windowUpdate(1, 2 ** 31 - 1))
    assert.deepEqual(typesOf(ends), ['inDoubt'])
    peer.send((writer) => writer.windowUpdate(0, 2 ** 31 - 1))
    assert.match((await peer.sent()).join(), /GOAWAY 0 FLOW_CONTROL_ERROR/)
    assert.match(peer.told.at(-1) ?? '', /^closed /)
  })

  it('gives the windows of long answers back', async () => {
    const peer = openPeer()
    const ends = peer.request()
    await peer.sent()
    peer.headers(1, { ':status': '500' }, false)
    const piece = Buffer.alloc(16_000, 'x')
    for (let n = 0; n < 60; n += 1)
      peer.send((writer) => writer.data(1, piece, 0, piece.length, n === 59))
    const updates = (await peer.sent()).map((frame) => frame.split(' ').slice(0, 2).join(' '))
    assert.ok(updates.includes('WINDOW_UPDATE 0'))
    assert.ok(updates.includes('WINDOW_UPDATE 1'))
    assert.deepEqual(typesOf(ends), ['answer'])
  })

  it('answers PING with the same bytes, and calls back for its own', async () => {
    const peer = openPeer()
    const opaque = Buffer.from('01234567')
    peer.send((writer) => writer.ping(opaque, false))
    let pongs = 0
    peer.session.ping(() => {
      pongs += 1
    })
    const [pong = '', ping = ''] = await peer.sent()
    assert.match(pong, /^PING \[30.*37\] ACK$/)
    assert.match(ping, /^PING \[0[0 ]*\]$/)
    peer.send((writer) => writer.ping(new Uint8Array(8), true))
    assert.equal(pongs, 1)
  })

  it('ends a connection on which a frame names a stream that was never opened', async () => {
    const peer = openPeer()
    const ends = peer.request()
    await peer.sent()
    peer.headers(3, OK, true)
    assert.match((await peer.sent()).join(), /^GOAWAY 0 PROTOCOL_ERROR/)
    assert.deepEqual(typesOf(ends), ['inDoubt'])
    assert.match(peer.told.at(-1) ?? '', /^closed HEADERS on stream 3, which is idle/)
  })

  it('ignores what still comes for a stream that has ended', async () => {
    const peer = openPeer()
    const ends = peer.request()
    peer.headers(1, OK, true)
    await peer.sent()
    peer.headers(1, OK, true)
    peer.send((writer) => writer.data(1, Buffer.from('x'), 0, 1, true))
    peer.send((writer) => writer.rstStream(1, CANCEL))
    peer.send((writer) => writer.windowUpdate(1, 1))
    assert.deepEqual(await peer.sent(), [])
    assert.equal(ends.length, 1)
  })

  it('obeys the peer’s SETTINGS_HEADER_TABLE_SIZE', async () => {
    const peer = openPeer([SETTINGS_HEADER_TABLE_SIZE, 0])
    peer.request()
    peer.request()
    const [first, , second] = await peer.sent()
    const bytes = (frame = '') => Number(/\((\d+)\)/.exec(frame)?.[1])
    // the first block says once that the table is empty now
    assert.equal(bytes(first), bytes(second) + 1)
    assert.ok(bytes(second) > 20)
  })

  it('refuses PUSH_PROMISE', async () => {
    const peer = openPeer()
    peer.request()
    await peer.sent()
    peer.sendBytes(Buffer.from('0000050504000000010000000288', 'hex'))
    assert.match((await peer.sent()).join(), /^GOAWAY 0 PROTOCOL_ERROR/)
  })

  it('leaves in doubt what has no answer when the peer is gone', async () => {
    const peer = openPeer()
    const ends = peer.request()
    peer.socket.emit('end')
    await peer.sent()
    assert.deepEqual(typesOf(ends), ['inDoubt'])
    assert.deepEqual(peer.told.at(-1), 'closed')
    assert.deepEqual(typesOf(peer.request()), ['notProcessed'])
  })

  it('closes when the last answer is in, and says so', async () => {
    const peer = openPeer()
    const ends = peer.request()
    await peer.sent()
    peer.session.close()
    assert.deepEqual(await peer.sent(), [])
    peer.headers(1, OK, true)
    assert.deepEqual(typesOf(ends), ['answer'])
    assert.deepEqual(await peer.sent(), ['GOAWAY 0 NO_ERROR []'])
    assert.equal(peer.told.at(-1), 'closed')
  })

  it('tells the peer of a stream that is given up', async () => {
    const peer = openPeer()
    const ends: unknown[] = []
    const stream = peer.startRequest((end) => ends.push(end))
    assert.ok(stream !== null)
    await peer.sent()
    peer.session.cancel(stream, 'no time')
    peer.session.cancel(stream, 'no time')
    assert.deepEqual(await peer.sent(), ['RST_STREAM 1 CANCEL'])
    assert.deepEqual(ends, [{ type: 'inDoubt', cause: 'no time' }])
  })
})

describe('the opening of a session', () => {
  it('begins with the preface, SETTINGS and a wide window', async () => {
    assert.deepEqual(await new ScriptedPeer().sent(), OPENING)
  })

  it('takes requests before the peer’s SETTINGS are there', async () => {
    const peer = new ScriptedPeer()
    peer.request('')
    assert.match((await peer.sent()).at(-1) ?? '', /^HEADERS 1/)
    assert.deepEqual(peer.told, [])
  })

  it('gives up on a peer that begins with anything but SETTINGS', async () => {
    for (const bytes of ['HTTP/1.1 400 Bad Request\r\n\r\n', '\0\0\x08\x06\0\0\0\0\0........']) {
      const peer = new ScriptedPeer()
      await peer.sent()
      peer.sendBytes(Buffer.from(bytes, 'latin1'))
      assert.match((await peer.sent()).join(), /^GOAWAY 0 PROTOCOL_ERROR/)
      assert.match(peer.told.join(), /^closed /)
    }
  })
})

describe('the answers of a session', () => {
  it('join what was cut within a character', () => {
    const peer = openPeer()
    const ends = peer.request()
    peer.headers(1, OK, false)
    for (const text of ['a\xe2', '\x82', '\xac']) peer.data(1, text, false)
    peer.data(1, '', true)
    assert.deepEqual(ends, [{ type: 'answer', answer: { status: 200, fields: {}, body: 'a€' } }])
  })

  it('are cut off behind 16 KiB, and still come', () => {
    const peer = openPeer()
    const ends = peer.request()
    peer.headers(1, OK, false)
    for (let n = 0; n < 3; n += 1) peer.data(1, String(n).repeat(10_000), n === 2)
    const [end] = ends
    assert.ok(end?.type === 'answer')
    assert.equal(end.answer.body, '0'.repeat(10_000) + '1'.repeat(6384))
  })

  it('come in any order', () => {
    const peer = openPeer()
    const [one, three] = [peer.request(), peer.request()]
    peer.headers(1, OK, false)
    peer.headers(3, { ':status': '410' }, false)
    peer.data(3, 'three', true)
    peer.data(1, 'one', true)
    assert.deepEqual(
      [...three, ...one].map((end) => end.type === 'answer' && end.answer.body),
      ['three', 'one'],
    )
  })

  const behindTheAnswer: [string, Record<string, string>, boolean][] = [
    ['fields that are not the last', { trailer: 'x' }, false],
    ['another :status', OK, true],
    ['an interim answer', { ':status': '103' }, false],
    ['trailers with a pseudo-header field', { ':path': '/' }, true],
    ['trailers with an upper-case name', { Trailer: 'x' }, true],
  ]
  for (const [what, fields, endStream] of behindTheAnswer)
    it(`are in doubt where ${what} came behind them`, async () => {
      const peer = openPeer()
      const [broken, other] = [peer.request(), peer.request()]
      await peer.sent()
      peer.headers(1, OK, false)
      peer.headers(1, fields, endStream)
      assert.deepEqual(typesOf(broken), ['inDoubt'])
      assert.deepEqual(await peer.sent(), ['RST_STREAM 1 PROTOCOL_ERROR'])
      peer.headers(3, OK, true)
      assert.deepEqual(typesOf(other), ['answer'])
    })

  it('lose their stream alone to a frame that breaks its rules', async () => {
    const peer = openPeer()
    const [broken, other] = [peer.request(), peer.request()]
    await peer.sent()
    peer.sendBytes(encodeFrame(WINDOW_UPDATE, 0, 1, new Uint8Array(4)))
    assert.deepEqual(typesOf(broken), ['inDoubt'])
    assert.deepEqual(await peer.sent(), ['RST_STREAM 1 PROTOCOL_ERROR'])
    // its stream has ended: nothing more to say
    peer.sendBytes(encodeFrame(WINDOW_UPDATE, 0, 1, new Uint8Array(4)))
    assert.deepEqual(await peer.sent(), [])
    peer.headers(3, OK, true)
    assert.deepEqual(typesOf(other), ['answer'])
  })

  it('lose their stream alone to too many fields, and the table stays in step', async () => {
    const peer = openPeer()
    const [flood, other] = [peer.request(), peer.request()]
    await peer.sent()
    // 40 times 2000 bytes out of a block of 2 KiB
    peer.block(1, true, STATUS_200, encodeInserted('x', 'y'.repeat(2000)), Buffer.alloc(40, 0xbe))
    assert.deepEqual(typesOf(flood), ['inDoubt'])
    assert.deepEqual(await peer.sent(), ['RST_STREAM 1 ENHANCE_YOUR_CALM'])
    peer.block(3, true, STATUS_200, Buffer.from([0xbe]))
    assert.equal(other[0]?.type === 'answer' && other[0].answer.fields['x']?.length, 2000)
  })

  it('are decoded for streams that have ended, so that the table stays in step', async () => {
    const peer = openPeer()
    const ends: unknown[] = []
    const cancelled = peer.startRequest((end) => ends.push(end))
    const answered = peer.request()
    peer.session.cancel(cancelled!, 'no time')
    peer.block(1, true, STATUS_200, encodeInserted('apns-id', 'abc'))
    peer.block(3, true, STATUS_200, Buffer.from([0xbe]))
    assert.equal(ends.length, 1)
    const answer = { status: 200, fields: { 'apns-id': 'abc' }, body: '' }
    assert.deepEqual(answered, [{ type: 'answer', answer }])
  })

  it('come also from a peer that acknowledges our empty table and never says that it has one', async () => {
    const peer = openPeer()
    const ends = [peer.request(), peer.request()]
    await peer.sent()
    peer.send((writer) => writer.settingsAck())
    peer.block(1, true, STATUS_200, encodeInserted('a', 'b'))
    peer.block(3, true, STATUS_200, Buffer.from([0xbe]))
    assert.deepEqual(ends.map(typesOf), [['answer'], ['answer']])
    assert.deepEqual(await peer.sent(), [])
  })

  it('find nothing in their table once the peer has acknowledged our SETTINGS', async () => {
    const peer = openPeer()
    const [obedient, other] = [peer.request(), peer.request()]
    peer.send((writer) => writer.settingsAck())
    peer.block(1, true, Buffer.from([0x20]), STATUS_200)
    assert.deepEqual(typesOf(obedient), ['answer'])
    peer.block(3, true, STATUS_200, encodeInserted('a', 'b'), Buffer.from([0xbe]))
    assert.match((await peer.sent()).join(), /GOAWAY 0 COMPRESSION_ERROR/)
    assert.deepEqual(typesOf(other), ['inDoubt'])
  })
})

describe('the requests of a session', () => {
  it('follow the peer’s table as it is emptied and filled again, within one SETTINGS too', async () => {
    const peer = openPeer()
    const blockBytes = async (): Promise<number> => {
      peer.request('')
      const line = (await peer.sent()).find((frame) => frame.startsWith('HEADERS')) ?? ''
      assert.match(line, / :method=POST :path=\/3\/device\/ab apns-topic=a\.b \(/)
      return Number(/\((\d+)\)/.exec(line)?.[1])
    }
    const resize = (...sizes: number[]): void =>
      peer.send((writer) =>
        writer.settings(sizes.map((bytes) => [SETTINGS_HEADER_TABLE_SIZE, bytes])),
      )
    const first = await blockBytes()
    const short = await blockBytes()
    resize(0, 4096)
    // a size of 0 is one byte, one of 4096 three; the topic goes in anew
    assert.equal(await blockBytes(), first + 4)
    assert.equal(await blockBytes(), short)
    resize(0)
    assert.equal(await blockBytes(), first + 1)
    assert.equal(await blockBytes(), first)
    resize(4096)
    assert.equal(await blockBytes(), first + 3)
    assert.equal(await blockBytes(), short)
  })

  it('go out in one write after the other where a turn asks for more than 64 KiB', async () => {
    const peer = openPeer([SETTINGS_INITIAL_WINDOW_SIZE, 1_000_000])
    peer.send((writer) => writer.windowUpdate(0, 10_000_000))
    const sizes: number[] = []
    const { onWritten } = peer.socket
    peer.socket.onWritten = (bytes) => {
      sizes.push(bytes.length)
      onWritten(bytes)
    }
    for (let n = 0; n < 100; n += 1) peer.request('x'.repeat(4096))
    const frames = await peer.sent()
    assert.equal(dataBytes(frames).length, 100)
    assert.ok(sizes.length >= 7 && Math.max(...sizes) <= 65_536, sizes.join())
  })
})
