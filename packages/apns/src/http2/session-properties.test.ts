import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import {
  SETTINGS_HEADER_TABLE_SIZE,
  SETTINGS_INITIAL_WINDOW_SIZE,
  SETTINGS_MAX_CONCURRENT_STREAMS,
  SETTINGS_MAX_FRAME_SIZE,
} from './frame-types.ts'
import {
  encodeFrame,
  MAX_OWN_FRAME_BYTES,
  type RecordedStream,
  ScriptedPeer,
} from './scripted-peer.ts'

/** A random conversation: the peer, what the session is asked for, and what must hold of both. */
class Conversation {
  readonly peer = new ScriptedPeer()
  readonly ends: string[][] = []
  readonly payloads: string[] = []
  readonly handles: (RecordedStream | null)[] = []
  /** As the peer counts: what the session may still send, by stream; 0: the connection. */
  readonly #credits = new Map<number, number>([[0, 65_535]])
  readonly #received = new Map<number, string>()
  readonly #closedHere = new Set<number>()
  initialWindowBytes = 65_535

  /** Does one step, and counts what the session sent for it. */
  async step(act: (conversation: Conversation) => void): Promise<void> {
    act(this)
    for (const line of await this.peer.sent()) this.#count(line)
    for (const ends of this.ends) assert.ok(ends.length <= 1, `it ended twice: ${ends.join()}`)
    for (const [index, stream] of this.handles.entries())
      if (stream !== null && this.ends[index]![0] === 'answer') this.#checkClosed(stream.id, index)
  }

  request(payloadBytes: number): void {
    const ends: string[] = []
    const payload = 'x'.repeat(payloadBytes)
    this.ends.push(ends)
    this.payloads.push(payload)
    this.handles.push(this.peer.startRequest(({ type }) => ends.push(type), payload))
  }

  widen(streamId: number, bytes: number): void {
    this.peer.send((writer) => writer.windowUpdate(streamId, bytes))
    this.#credits.set(streamId, this.#creditOf(streamId) + bytes)
  }

  setInitialWindow(bytes: number): void {
    this.peer.send((writer) => writer.settings([[SETTINGS_INITIAL_WINDOW_SIZE, bytes]]))
    for (const [streamId, credit] of this.#credits)
      if (streamId !== 0) this.#credits.set(streamId, credit + bytes - this.initialWindowBytes)
    this.initialWindowBytes = bytes
  }

  #creditOf(streamId: number): number {
    return this.#credits.get(streamId) ?? this.initialWindowBytes
  }

  #count(line: string): void {
    const [type, id = '', payload = ''] = line.split(' ')
    const streamId = Number(id)
    if (line.includes('END_STREAM') || type === 'RST_STREAM') this.#closedHere.add(streamId)
    if (type === 'HEADERS') this.#credits.set(streamId, this.#creditOf(streamId))
    if (type !== 'DATA') return
    const bytes = (payload.length - 2) / 2
    for (const level of [0, streamId]) {
      assert.ok(bytes <= this.#creditOf(level), `${bytes} bytes are past the window of ${level}`)
      this.#credits.set(level, this.#creditOf(level) - bytes)
    }
    this.#received.set(streamId, (this.#received.get(streamId) ?? '') + payload.slice(1, -1))
  }

  /** An answered stream must not stay open with the peer, where it counts against the limit. */
  #checkClosed(streamId: number, index: number): void {
    if (this.peer.socket.destroyed) return
    assert.ok(this.#closedHere.has(streamId), `stream ${streamId} was answered and never closed`)
    const received = Buffer.from(this.#received.get(streamId) ?? '', 'hex').toString('latin1')
    assert.ok(this.payloads[index]!.startsWith(received))
  }
}

type Step = (conversation: Conversation) => void

// some were opened, some ended, some never were
const streamId = fc.integer({ min: 0, max: 4 }).map((n) => 2 * n + 1)
const code = fc.integer({ min: 0, max: 14 })
const bytes = fc.oneof(fc.integer({ min: 1, max: 100 }), fc.constantFrom(16_384, 70_000))
const status = fc.constantFrom('200', '200', '400', '103', '', '99')

/** What is right, or wrong for one stream at most; ids are what makes it worse. */
const goodSteps: fc.Arbitrary<Step> = fc.oneof(
  fc.constantFrom(0, 1, 50, 16_385, 70_000).map(
    (payloadBytes): Step =>
      (talk) =>
        talk.request(payloadBytes),
  ),
  fc.tuple(streamId, status, fc.boolean()).map(
    ([id, value, isLast]): Step =>
      (talk) =>
        talk.peer.headers(id, value === '' ? { trailer: 'x' } : { ':status': value }, isLast),
  ),
  fc.tuple(streamId, fc.integer({ min: 0, max: 99 }), fc.boolean()).map(
    ([id, length, isLast]): Step =>
      (talk) =>
        talk.peer.data(id, 'y'.repeat(length), isLast),
  ),
  fc.tuple(streamId, code).map(
    ([id, errorCode]): Step =>
      (talk) =>
        talk.peer.send((writer) => writer.rstStream(id, errorCode)),
  ),
  fc.tuple(fc.oneof(streamId, fc.constant(0)), bytes).map(
    ([id, increment]): Step =>
      (talk) =>
        talk.widen(id, increment),
  ),
  fc.constantFrom(0, 1, 10, 65_535, 100_000).map(
    (initialBytes): Step =>
      (talk) =>
        talk.setInitialWindow(initialBytes),
  ),
  fc
    .constantFrom<readonly [number, number]>(
      [SETTINGS_HEADER_TABLE_SIZE, 0],
      [SETTINGS_HEADER_TABLE_SIZE, 100],
      [SETTINGS_HEADER_TABLE_SIZE, 4096],
      [SETTINGS_MAX_CONCURRENT_STREAMS, 0],
      [SETTINGS_MAX_FRAME_SIZE, 16_384],
      [SETTINGS_MAX_FRAME_SIZE, MAX_OWN_FRAME_BYTES],
      [0xff, 1],
    )
    .map(
      (setting): Step =>
        (talk) =>
          talk.peer.send((writer) => writer.settings([setting])),
    ),
  fc.boolean().map(
    (ack): Step =>
      (talk) =>
        talk.peer.send((writer) => writer.ping(new Uint8Array(8), ack)),
  ),
  fc.nat(9).map(
    (index): Step =>
      (talk) => {
        const stream = talk.handles[index] ?? null
        if (stream !== null) talk.peer.session.cancel(stream, 'given up')
      },
  ),
  fc.constant<Step>((talk) => talk.peer.session.ping(() => undefined)),
)

/** What ends the connection, or begins its end. */
const badSteps: fc.Arbitrary<Step> = fc.oneof(
  fc.tuple(fc.constantFrom(0, 1, 2, 5, 2 ** 31 - 1), code).map(
    ([last, errorCode]): Step =>
      (talk) =>
        talk.peer.send((writer) => writer.goaway(last, errorCode, new Uint8Array(0))),
  ),
  fc.uint8Array({ maxLength: 40 }).map(
    (garbage): Step =>
      (talk) =>
        talk.peer.sendBytes(garbage),
  ),
  fc
    .tuple(fc.nat(11), fc.nat(255), fc.nat(9), fc.uint8Array({ maxLength: 12 }))
    .map(([type, flags, id, payload]): Step => {
      const frame = encodeFrame(type, flags, id, payload)
      return (talk) => talk.peer.sendBytes(frame)
    }),
  fc.constant<Step>((talk) => talk.peer.session.close()),
  fc.constant<Step>((talk) => talk.peer.session.destroy(new Error('destroyed'))),
  fc.constant<Step>((talk) => talk.peer.socket.emit('end')),
  fc.constant<Step>((talk) => talk.peer.socket.destroy(new Error('the socket is lost'))),
)

async function converse(steps: readonly Step[]): Promise<Conversation> {
  const conversation = new Conversation()
  const { peer } = conversation
  peer.open()
  for (const step of steps) await conversation.step(step)
  peer.session.destroy(new Error('the test is over'))
  await conversation.step((talk) => talk.request(1))
  return conversation
}

describe('a session, whatever the peer sends', () => {
  it('ends every request exactly once, closes once, and keeps to the windows', async () => {
    const step = fc.oneof({ weight: 15, arbitrary: goodSteps }, { weight: 1, arbitrary: badSteps })
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 40, size: 'max' }), async (steps) => {
        const { peer, ends } = await converse([(talk) => talk.request(2), ...steps])
        for (const types of ends) assert.equal(types.length, 1)
        assert.deepEqual(ends.at(-1), ['notProcessed'])
        assert.equal(peer.told.filter((line) => line.startsWith('closed')).length, 1)
        assert.match(peer.told.at(-1) ?? '', /^closed/)
      }),
      { numRuns: 300 },
    )
  })

  it('answers the same, wherever the bytes are cut', async () => {
    const whole: Buffer[] = []
    const say = (peer: ScriptedPeer): void => {
      peer.send((writer) => writer.settings([[SETTINGS_MAX_CONCURRENT_STREAMS, 7]]))
      peer.headers(1, { ':status': '400', 'apns-id': 'x' }, false)
      peer.data(1, '{"reason":', false)
      peer.data(3, 'x', true)
      peer.data(1, '"BadTopic"}', true)
      peer.send((writer) => writer.goaway(3, 0, Buffer.from('bye')))
    }
    const record = async (cuts: readonly number[] | null): Promise<unknown> => {
      const peer = new ScriptedPeer().open()
      const ends = [peer.request(), peer.request(), peer.request()]
      if (cuts === null) {
        peer.onSent = (chunk) => whole.push(Buffer.from(chunk))
        say(peer)
      } else {
        const all = Buffer.concat(whole)
        let from = 0
        for (const cut of [...cuts, all.length]) {
          peer.sendBytes(all.subarray(from, cut))
          from = cut
        }
      }
      return { ends, sent: await peer.sent(), told: peer.told }
    }
    const expected = await record(null)
    const { length } = Buffer.concat(whole)
    for (let cut = 1; cut < length; cut += 1) assert.deepEqual(await record([cut]), expected)
    assert.deepEqual(await record(Array.from({ length }, (_, n) => n)), expected)
  })
})
