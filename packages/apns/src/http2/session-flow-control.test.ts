import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { INTERNAL_ERROR } from './errors.ts'
import {
  DATA,
  FLAG_PADDED,
  SETTINGS_INITIAL_WINDOW_SIZE,
  SETTINGS_MAX_FRAME_SIZE,
} from './frame-types.ts'
import { encodeFrame, OK, openPeer, typesOf } from './scripted-peer.ts'

const DATA_LINE = /^DATA (\d+) \[(.*)\]( END_STREAM)? counts/

/** `stream:bytes` of each DATA frame, with a `.` at the last of a stream. */
function dataOf(frames: readonly string[]): string[] {
  return frames.flatMap((frame) => {
    const [, streamId, hex = '', isLast] = DATA_LINE.exec(frame) ?? []
    return streamId === undefined
      ? []
      : [`${streamId}:${hex.length / 2}${isLast === undefined ? '' : '.'}`]
  })
}

function textOf(frames: readonly string[]): string {
  const hex = frames.map((frame) => DATA_LINE.exec(frame)?.[2] ?? '').join('')
  return Buffer.from(hex, 'hex').toString('latin1')
}

describe('the flow control of a session', () => {
  it('cuts a payload at the peer’s MAX_FRAME_SIZE, at once where that grows', async () => {
    const peer = openPeer()
    peer.request('x'.repeat(16_385))
    assert.deepEqual(dataOf(await peer.sent()), ['1:16384', '1:1.'])
    peer.send((writer) => writer.settings([[SETTINGS_MAX_FRAME_SIZE, 20_000]]))
    peer.request('x'.repeat(20_000))
    assert.deepEqual(dataOf(await peer.sent()), ['3:20000.'])
  })

  it('sends every byte of a payload once and in order, however the windows cut it', async () => {
    const peer = openPeer([SETTINGS_INITIAL_WINDOW_SIZE, 7])
    const payload = Array.from({ length: 3000 }, (_, n) => String.fromCharCode(n & 0xff)).join('')
    const bytes = Buffer.from(payload, 'latin1')
    peer.startRequest(() => undefined, bytes)
    const frames = await peer.sent()
    for (let widened = 7; widened < bytes.length; widened += 130) {
      peer.send((writer) => writer.windowUpdate(1, 130))
      frames.push(...(await peer.sent()))
    }
    assert.equal(textOf(frames), payload)
    assert.match(frames.at(-1) ?? '', / END_STREAM /)
    assert.equal(frames.filter((frame) => frame.includes('END_STREAM')).length, 1)
  })

  it('sends megabytes in pieces where the windows allow it, none of them larger than the buffer', async () => {
    const peer = openPeer([SETTINGS_INITIAL_WINDOW_SIZE, 2 ** 31 - 1])
    peer.send((writer) => writer.windowUpdate(0, 2 ** 30))
    const sizes: number[] = []
    const { onWritten } = peer.socket
    peer.socket.onWritten = (bytes) => {
      sizes.push(bytes.length)
      onWritten(bytes)
    }
    const payload = 'x'.repeat(3 * 1024 * 1024)
    peer.request(payload)
    const frames = await peer.sent()
    assert.equal(textOf(frames).length, payload.length)
    assert.match(frames.at(-1) ?? '', / END_STREAM /)
    assert.ok(Math.max(...sizes) <= 65_536, sizes.join())
  })

  it('sends a payload that fills the window to the last byte', async () => {
    const peer = openPeer()
    peer.request('x'.repeat(65_535))
    peer.request('')
    peer.request('y')
    const frames = await peer.sent()
    assert.deepEqual(dataOf(frames), ['1:16384', '1:16384', '1:16384', '1:16383.'])
    // a request without payload takes nothing from a window
    assert.match(frames.find((frame) => frame.startsWith('HEADERS 3')) ?? '', / END_STREAM$/)
    peer.send((writer) => writer.windowUpdate(0, 1))
    assert.deepEqual(dataOf(await peer.sent()), ['5:1.'])
  })

  it('sends what the connection holds in the order of the requests', async () => {
    const peer = openPeer([SETTINGS_INITIAL_WINDOW_SIZE, 1_000_000])
    peer.request('x'.repeat(65_540))
    peer.request('yy')
    peer.request('zz')
    await peer.sent()
    peer.send((writer) => writer.windowUpdate(0, 6))
    assert.deepEqual(dataOf(await peer.sent()), ['1:5.', '3:1'])
    // what comes later, however small, waits behind those
    peer.request('w')
    assert.deepEqual(dataOf(await peer.sent()), [])
    peer.send((writer) => writer.windowUpdate(0, 100))
    assert.deepEqual(dataOf(await peer.sent()), ['3:1.', '5:2.', '7:1.'])
  })

  it('widens the windows of streams that wait by a larger INITIAL_WINDOW_SIZE', async () => {
    const peer = openPeer([SETTINGS_INITIAL_WINDOW_SIZE, 0])
    peer.request('xxxx')
    assert.deepEqual(dataOf(await peer.sent()), [])
    peer.send((writer) =>
      writer.settings([
        [SETTINGS_INITIAL_WINDOW_SIZE, 100],
        [SETTINGS_INITIAL_WINDOW_SIZE, 3],
      ]),
    )
    assert.deepEqual(dataOf(await peer.sent()), ['1:3'])
  })

  it('sends nothing on a window of 0 that was negative', async () => {
    const peer = openPeer([SETTINGS_INITIAL_WINDOW_SIZE, 10])
    peer.request('x'.repeat(11))
    await peer.sent()
    peer.send((writer) => writer.settings([[SETTINGS_INITIAL_WINDOW_SIZE, 0]]))
    peer.send((writer) => writer.windowUpdate(1, 10))
    assert.deepEqual(dataOf(await peer.sent()), [])
    peer.send((writer) => writer.windowUpdate(1, 1))
    assert.deepEqual(dataOf(await peer.sent()), ['1:1.'])
  })

  it('ends the connection where INITIAL_WINDOW_SIZE makes a window overflow', async () => {
    const peer = openPeer()
    peer.request('x'.repeat(65_535))
    const ends = peer.request('yy')
    await peer.sent()
    peer.send((writer) => writer.windowUpdate(3, 2 ** 31 - 1 - 65_535))
    assert.deepEqual(await peer.sent(), [])
    peer.send((writer) => writer.settings([[SETTINGS_INITIAL_WINDOW_SIZE, 65_536]]))
    assert.match((await peer.sent()).join(), /^GOAWAY 0 FLOW_CONTROL_ERROR/)
    assert.deepEqual(typesOf(ends), ['inDoubt'])
  })

  it('forgets what it held of a stream that has ended, and sends what waits behind it', async () => {
    const peer = openPeer([SETTINGS_INITIAL_WINDOW_SIZE, 1_000_000])
    peer.request('x'.repeat(65_535))
    const reset = peer.request('yyy')
    const ends: unknown[] = []
    const cancelled = peer.startRequest((end) => ends.push(end), 'zzz')
    peer.request('www')
    await peer.sent()
    peer.send((writer) => writer.rstStream(3, INTERNAL_ERROR))
    assert.deepEqual(typesOf(reset), ['inDoubt'])
    peer.session.cancel(cancelled!, 'no time')
    peer.send((writer) => writer.windowUpdate(0, 100))
    assert.deepEqual(
      (await peer.sent()).filter((frame) => !frame.startsWith('HEADERS')),
      ['RST_STREAM 5 CANCEL', 'DATA 7 [777777] END_STREAM counts 3'],
    )
  })

  it('resets a stream whose answer came before its payload was sent, or the peer would keep it', async () => {
    const peer = openPeer([SETTINGS_INITIAL_WINDOW_SIZE, 1])
    const ends = peer.request('xx')
    await peer.sent()
    peer.headers(1, { ':status': '413' }, true)
    assert.deepEqual(typesOf(ends), ['answer'])
    assert.deepEqual(await peer.sent(), ['RST_STREAM 1 CANCEL'])
    peer.send((writer) => writer.windowUpdate(1, 1))
    assert.deepEqual(await peer.sent(), [])
  })

  it('gives back on both levels as much as answers took, padding included', async () => {
    const peer = openPeer()
    peer.request()
    await peer.sent()
    peer.headers(1, OK, false)
    // a length, 99 bytes and 100 of padding, which all count
    const padded = Buffer.alloc(200)
    padded[0] = 100
    const given = [0, 0]
    const sentBytes = 200 * 3000
    for (let n = 0; n < 3000; n += 1) {
      peer.sendBytes(encodeFrame(DATA, FLAG_PADDED, 1, padded))
      for (const line of peer.take()) {
        const [, streamId, bytes] = /^WINDOW_UPDATE (\d+) (\d+)$/.exec(line) ?? []
        given[Number(streamId)]! += Number(bytes)
      }
    }
    const [connection = 0, stream = 0] = given
    // what is not given back yet is less than half of the window
    assert.ok(connection > sentBytes - 1024 * 512 && connection <= sentBytes, `${connection}`)
    assert.ok(stream > sentBytes - 32_768 && stream <= sentBytes, `${stream}`)
  })

  it('gives back to the connection what comes for streams that have ended', async () => {
    const peer = openPeer()
    peer.request()
    peer.headers(1, OK, true)
    await peer.sent()
    const frame = encodeFrame(DATA, 0, 1, Buffer.alloc(16_000))
    for (let n = 0; n < 33; n += 1) peer.sendBytes(frame)
    assert.deepEqual(await peer.sent(), ['WINDOW_UPDATE 0 528000'])
  })
})
