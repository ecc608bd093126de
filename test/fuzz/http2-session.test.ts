/**
 * Throws damaged conversations at an HTTP/2 session for FUZZ_SECONDS (2 unless told): whatever a peer sends, nothing is
 * thrown out of the session, and each request ends exactly once. FUZZ_SEED repeats a run.
 */

import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import {
  SETTINGS_HEADER_TABLE_SIZE,
  SETTINGS_INITIAL_WINDOW_SIZE,
  SETTINGS_MAX_CONCURRENT_STREAMS,
} from '../../packages/apns/src/http2/frame-types.ts'
import {
  encodeFrame,
  encodeInserted,
  ScriptedPeer,
} from '../../packages/apns/src/http2/scripted-peer.ts'

const budgetMs = Number(process.env['FUZZ_SECONDS'] ?? 2) * 1000
const seed = Number(process.env['FUZZ_SEED'] ?? Math.floor(Math.random() * 2 ** 31))

const REQUESTS = 6

/** What a peer says in a conversation in which everything occurs once. */
function recordConversation(): Buffer {
  const pieces: Uint8Array[] = []
  const peer = new ScriptedPeer()
  peer.onSent = (bytes) => pieces.push(Buffer.from(bytes))
  for (let n = 0; n < REQUESTS; n += 1) peer.request('{"aps":{}}')
  peer.send((writer) => {
    writer.settings([
      [SETTINGS_MAX_CONCURRENT_STREAMS, 1000],
      [SETTINGS_HEADER_TABLE_SIZE, 4096],
      [SETTINGS_INITIAL_WINDOW_SIZE, 70_000],
    ])
    writer.settingsAck()
    writer.windowUpdate(0, 1_000_000)
    writer.ping(new Uint8Array(8), false)
  })
  peer.headers(1, { ':status': '200', 'apns-id': '123e4567' }, true)
  peer.headers(3, { ':status': '103', link: 'x' }, false)
  peer.headers(3, { ':status': '400', 'content-type': 'application/json' }, false)
  peer.data(3, '{"reason":"BadDeviceToken"}', true)
  peer.block(5, false, Buffer.from([0x20, 0x88]), encodeInserted('x', 'y'.repeat(100)))
  peer.block(5, true, Buffer.from([0x0f, 0x0d, 0x84, 0x9d, 0x99, 0x5b, 0x63]))
  peer.send((writer) => writer.rstStream(7, 7))
  peer.send((writer) => writer.goaway(9, 0, Buffer.from('{"reason":"Shutdown"}')))
  peer.headers(9, { ':status': '410' }, true)
  peer.session.destroy(new Error('recorded'))
  return Buffer.concat(pieces)
}

const CONVERSATION = recordConversation()

/** Frames of any type, right or wrong. */
const anyFrame = fc
  .tuple(
    fc.oneof(fc.nat(10), fc.nat(255)),
    fc.oneof(fc.constantFrom(0, 1, 4, 5, 8, 0x20), fc.nat(255)),
    fc.oneof(fc.nat(2 * REQUESTS), fc.nat(2 ** 31 - 1)),
    fc.oneof(fc.uint8Array({ maxLength: 40 }), fc.constant(new Uint8Array(300))),
  )
  .map((frame) => encodeFrame(...frame))

/** The conversation with some bytes changed, cut out or put in; or the start of it and then any frames. */
const damaged = fc.oneof(
  fc
    .array(fc.tuple(fc.nat(CONVERSATION.length), fc.nat(12), fc.uint8Array({ maxLength: 12 })), {
      minLength: 1,
      maxLength: 4,
    })
    .map((changes) =>
      changes.reduce(
        (bytes, [at, cut, piece]) =>
          Buffer.concat([bytes.subarray(0, at), piece, bytes.subarray(at + cut)]),
        CONVERSATION,
      ),
    ),
  fc
    .tuple(fc.nat(CONVERSATION.length), fc.array(anyFrame, { maxLength: 12 }))
    .map(([end, frames]) => Buffer.concat([CONVERSATION.subarray(0, end), ...frames])),
  fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes)),
)

/** Has a session hear a peer. @returns what became of its requests, and what it told its owner */
async function converse(bytes: Buffer, cuts: readonly number[]): Promise<unknown> {
  const peer = new ScriptedPeer()
  const ends = Array.from({ length: REQUESTS }, () => peer.request('{"aps":{}}'))
  let start = 0
  for (const cut of [...cuts.toSorted((a, b) => a - b), bytes.length]) {
    peer.sendBytes(bytes.subarray(start, Math.max(start, cut)))
    start = Math.max(start, cut)
  }
  await peer.sent()
  ends.push(peer.request('{}'))
  peer.session.destroy(new Error('over'))
  await peer.sent()
  for (const each of ends) assert.equal(each.length, 1)
  assert.equal(peer.told.filter((line) => line.startsWith('closed')).length, 1)
  return { ends, told: peer.told }
}

test(`a session takes whatever a peer sends, the same however it is cut (seed ${seed})`, async () => {
  const cuts = fc.array(fc.nat(CONVERSATION.length), { maxLength: 6 })
  const property = fc.asyncProperty(damaged, cuts, async (bytes, places) => {
    assert.deepEqual(await converse(bytes, places), await converse(bytes, []))
  })
  await fc.assert(property, {
    seed,
    numRuns: Number.POSITIVE_INFINITY,
    interruptAfterTimeLimit: budgetMs,
    markInterruptAsFailure: false,
  })
})
