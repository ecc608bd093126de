import assert from 'node:assert/strict'
import { test } from 'node:test'
import { FrameFilter } from './frame-filter.ts'

const GOAWAY = 7
const ANSWER = '00000201040000000388be'
const DATA = '0000050001000000037b2261227d'
const GOAWAY_FRAME = '0000080700000000000000000700000000'
const ACKNOWLEDGEMENT = '000000040100000000'

const ALL = [ANSWER, GOAWAY_FRAME, DATA, ACKNOWLEDGEMENT, GOAWAY_FRAME, ACKNOWLEDGEMENT].join('')
const KEPT = [ANSWER, DATA, ACKNOWLEDGEMENT, ACKNOWLEDGEMENT].join('')

function pass(...pieces: Buffer[]): string {
  const filter = new FrameFilter(GOAWAY)
  return Buffer.concat(pieces.map((piece) => filter.pass(piece))).toString('hex')
}

test('drops the frames of its type and passes the others as they are', () => {
  assert.equal(pass(Buffer.from(ALL, 'hex')), KEPT)
})

test('finds them when the bytes come one by one', () => {
  assert.equal(pass(...[...Buffer.from(ALL, 'hex')].map((byte) => Buffer.of(byte))), KEPT)
})

test('finds them wherever the bytes are cut', () => {
  const bytes = Buffer.from(ALL, 'hex')
  for (let at = 0; at <= bytes.length; at += 1) {
    assert.equal(pass(bytes.subarray(0, at), bytes.subarray(at)), KEPT)
  }
})
