import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { CANCEL, INTERNAL_ERROR, NO_ERROR } from './errors.ts'
import { fromHex } from './frame-recorder.ts'
import {
  CONTINUATION,
  DATA,
  FLAG_END_HEADERS,
  HEADERS,
  PING,
  PRIORITY,
  RST_STREAM,
  SETTINGS,
  SETTINGS_INITIAL_WINDOW_SIZE,
  WINDOW_UPDATE,
} from './frame-types.ts'
import type { FrameWriter } from './frame-writer.ts'
import {
  dataBytes,
  encodeFrame,
  OK,
  openPeer,
  type RecordedStream,
  ScriptedPeer,
  typesOf,
} from './scripted-peer.ts'

const none = new Uint8Array(0)
/** A payload of four bytes that is right for RST_STREAM and WINDOW_UPDATE. */
const word = Buffer.from([0, 0, 0, 1])

describe('the end of a session', () => {
  const faults: [string, string, Uint8Array][] = [
    ['DATA on an idle stream', 'PROTOCOL_ERROR', encodeFrame(DATA, 0, 5)],
    ['HEADERS on an idle stream', 'PROTOCOL_ERROR', encodeFrame(HEADERS, FLAG_END_HEADERS, 5)],
    ['RST_STREAM on an idle stream', 'PROTOCOL_ERROR', encodeFrame(RST_STREAM, 0, 5, word)],
    ['WINDOW_UPDATE on an idle stream', 'PROTOCOL_ERROR', encodeFrame(WINDOW_UPDATE, 0, 5, word)],
    ['a broken frame on an idle stream', 'PROTOCOL_ERROR', encodeFrame(PRIORITY, 0, 5, none)],
    ['a stream of the peer’s', 'PROTOCOL_ERROR', encodeFrame(DATA, 0, 2)],
    ['SETTINGS cut short', 'FRAME_SIZE_ERROR', encodeFrame(SETTINGS, 0, 0, word)],
    ['a frame past our MAX_FRAME_SIZE', 'FRAME_SIZE_ERROR', fromHex('004001 00 00 00000001')],
    ['a block that does not decode', 'COMPRESSION_ERROR', fromHex('000001 01 05 00000001 80')],
    ['an empty window by 0', 'PROTOCOL_ERROR', encodeFrame(WINDOW_UPDATE, 0, 0, new Uint8Array(4))],
    ['a window past 2^31-1', 'FLOW_CONTROL_ERROR', fromHex('000004 08 00 00000000 7fffffff')],
    ['CONTINUATION without a block', 'PROTOCOL_ERROR', encodeFrame(CONTINUATION, 4, 1)],
  ]
  for (const [what, code, bytes] of faults)
    it(`comes with ${code} for ${what}, once, and leaves all in doubt`, async () => {
      const peer = openPeer()
      const ends = [peer.request(), peer.request()]
      await peer.sent()
      // what stands before it counts, what stands behind it does not
      const ping = encodeFrame(PING, 0, 0, new Uint8Array(8))
      peer.sendBytes(Buffer.concat([ping, bytes, ping]))
      const late = peer.request()
      const [pong, goaway, ...more] = await peer.sent()
      assert.equal(pong, `PING [${'00'.repeat(8)}] ACK`)
      assert.match(goaway ?? '', new RegExp(`^GOAWAY 0 ${code} `))
      assert.deepEqual(more, [])
      assert.deepEqual(ends.map(typesOf), [['inDoubt'], ['inDoubt']])
      assert.deepEqual(typesOf(late), ['notProcessed'])
      assert.equal(peer.told.filter((line) => /^closed ./.test(line)).length, 1)
      assert.equal(peer.told.length, 2)
    })

  it('does not come for PRIORITY on an idle stream, or for what HTTP/2 does not know', async () => {
    const peer = openPeer()
    const ends = peer.request()
    await peer.sent()
    peer.sendBytes(encodeFrame(PRIORITY, 0, 99, new Uint8Array(5)))
    peer.sendBytes(encodeFrame(0xbe, 0xff, 4, Buffer.from('x')))
    peer.send((writer) => writer.settings([[0xff, 1]]))
    assert.deepEqual(await peer.sent(), ['SETTINGS ACK'])
    peer.headers(1, OK, true)
    assert.deepEqual(typesOf(ends), ['answer'])
  })

  it('comes with INTERNAL_ERROR where our own side throws', async () => {
    const peer = openPeer()
    peer.startRequest(() => {
      throw new Error('our mistake')
    })
    const other = peer.request()
    await peer.sent()
    peer.headers(1, OK, true)
    assert.match((await peer.sent()).join(), /^GOAWAY 0 INTERNAL_ERROR/)
    assert.equal(peer.told.at(-1), 'closed our mistake')
    assert.deepEqual(typesOf(other), ['inDoubt'])
  })

  it('comes for a peer that asks for replies and does not read them', async () => {
    for (const ask of [
      (writer: FrameWriter) => writer.ping(new Uint8Array(8), false),
      (writer: FrameWriter) => writer.settings([]),
    ]) {
      const peer = openPeer()
      Object.defineProperty(peer.socket, 'writableLength', { value: 17 * 1024 * 1024 })
      peer.send(ask)
      assert.match((await peer.sent()).join(), /^GOAWAY 0 ENHANCE_YOUR_CALM/)
    }
  })

  it('waits a second, no more, for a peer that does not read', async (t) => {
    t.mock.timers.enable({ apis: ['setTimeout'] })
    const peer = openPeer()
    const ends = peer.request()
    await peer.sent()
    peer.socket.isStuck = true
    peer.sendBytes(encodeFrame(DATA, 0, 5))
    assert.match((await peer.sent()).join(), /^GOAWAY/)
    assert.deepEqual([ends, peer.told.length], [[], 1])
    assert.deepEqual(typesOf(peer.request()), ['notProcessed'])
    t.mock.timers.tick(1000)
    await peer.sent()
    assert.deepEqual(typesOf(ends), ['inDoubt'])
    assert.match(peer.told.at(-1) ?? '', /^closed DATA on stream 5/)
  })

  it('leaves in doubt an answer that was cut off', async () => {
    const peer = openPeer()
    const ends = peer.request()
    peer.headers(1, OK, false)
    peer.data(1, '{"rea', false)
    peer.socket.emit('end')
    await peer.sent()
    assert.deepEqual(ends, [{ type: 'inDoubt', cause: 'the connection ended' }])
  })

  it('tells of the socket’s error', async () => {
    const peer = openPeer()
    const ends = peer.request()
    peer.socket.destroy(new Error('ECONNRESET'))
    await peer.sent()
    assert.deepEqual(ends, [{ type: 'inDoubt', cause: 'ECONNRESET' }])
    assert.equal(peer.told.at(-1), 'closed ECONNRESET')
  })

  it('comes at once with destroy(), for the first cause given, and takes nothing in between', async () => {
    const peer = openPeer()
    const ends = peer.request()
    await peer.sent()
    peer.session.destroy(new Error('first'))
    peer.session.destroy(new Error('second'))
    assert.deepEqual(typesOf(peer.request()), ['notProcessed'])
    peer.headers(1, OK, true)
    assert.deepEqual(await peer.sent(), [])
    assert.deepEqual(ends, [{ type: 'inDoubt', cause: 'first' }])
    assert.equal(peer.told.at(-1), 'closed first')
    peer.session.close()
    peer.session.ping(() => undefined)
    assert.deepEqual(await peer.sent(), [])
    assert.equal(peer.told.length, 2)
  })

  it('comes with one GOAWAY, whichever way the last stream of one that is closing ended', async () => {
    const ways: [string, (peer: ScriptedPeer, stream: RecordedStream) => void][] = [
      ['', (peer) => peer.headers(1, OK, true)],
      ['', (peer) => peer.send((writer) => writer.rstStream(1, CANCEL))],
      ['', (peer) => peer.send((writer) => writer.goaway(0, NO_ERROR, none))],
      ['RST_STREAM 1 CANCEL', (peer, stream) => peer.session.cancel(stream, 'no time')],
      ['RST_STREAM 1 PROTOCOL_ERROR', (peer) => peer.headers(1, {}, true)],
    ]
    for (const [before, act] of ways) {
      const peer = openPeer()
      const ends: unknown[] = []
      const stream = peer.startRequest((end) => {
        ends.push(end)
        peer.session.close()
      })
      await peer.sent()
      peer.session.close()
      assert.deepEqual(typesOf(peer.request()), ['notProcessed'])
      act(peer, stream!)
      const expected = [before, 'GOAWAY 0 NO_ERROR []'].filter((line) => line !== '')
      assert.deepEqual(await peer.sent(), expected)
      assert.equal(ends.length, 1)
      assert.equal(peer.told.at(-1), 'closed')
    }
  })

  it('waits for payload that is held, too', async () => {
    const peer = openPeer([SETTINGS_INITIAL_WINDOW_SIZE, 1])
    const ends = peer.request('xx')
    peer.session.close()
    await peer.sent()
    peer.send((writer) => writer.windowUpdate(1, 1))
    assert.deepEqual(dataBytes(await peer.sent()), [1])
    peer.headers(1, OK, true)
    assert.deepEqual(typesOf(ends), ['answer'])
    assert.deepEqual(await peer.sent(), ['GOAWAY 0 NO_ERROR []'])
  })

  it('is due when few stream identifiers are left; behind the last one no request is taken', async () => {
    const peer = new ScriptedPeer({ firstStreamId: 2 ** 31 - 3 }).open()
    assert.ok(peer.session.isRetireDue)
    const ends = [peer.request(''), peer.request(''), peer.request('')]
    const sent = await peer.sent()
    assert.deepEqual(
      sent.map((line) => line.split(' ').slice(0, 2).join(' ')),
      ['HEADERS 2147483645', 'HEADERS 2147483647'],
    )
    assert.deepEqual(ends.map(typesOf), [[], [], ['notProcessed']])
    peer.headers(2 ** 31 - 1, OK, true)
    assert.deepEqual(ends.map(typesOf), [[], ['answer'], ['notProcessed']])
  })

  it('may be asked for by whoever hears of GOAWAY', async () => {
    const peer = openPeer()
    peer.onTold = (line) => {
      if (line.startsWith('goaway')) peer.session.close()
    }
    const ends = [peer.request(), peer.request()]
    await peer.sent()
    peer.send((writer) => writer.goaway(0, NO_ERROR, none))
    assert.deepEqual(ends.map(typesOf), [['notProcessed'], ['notProcessed']])
    assert.deepEqual(await peer.sent(), ['GOAWAY 0 NO_ERROR []'])
    assert.deepEqual(peer.told.slice(1), ['goaway 0 0 ', 'closed'])
  })

  it('does not raise the last stream of a GOAWAY again', () => {
    const peer = openPeer()
    const ends = [peer.request(), peer.request()]
    peer.send((writer) => writer.goaway(1, NO_ERROR, none))
    peer.send((writer) => writer.goaway(3, INTERNAL_ERROR, none))
    assert.deepEqual(ends.map(typesOf), [[], ['notProcessed']])
    assert.deepEqual(peer.told.slice(1), ['goaway 0 1 ', 'goaway 2 1 '])
    peer.headers(3, OK, true)
    peer.headers(1, OK, true)
    assert.deepEqual(ends.map(typesOf), [['answer'], ['notProcessed']])
  })
})
