import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { COMPRESSION_ERROR, Http2Error } from '../errors.ts'
import { decodeInteger, encodeInteger, MAX_INTEGER, MAX_INTEGER_BYTES } from './integer.ts'

function encode(value: number, prefixBits: number, pattern = 0): number[] {
  const target = new Uint8Array(MAX_INTEGER_BYTES)
  return [...target.subarray(0, encodeInteger(target, 0, pattern, prefixBits, value))]
}

function decode(bytes: number[], prefixBits: number): { value: number; at: number } {
  const cursor = { bytes: Uint8Array.from(bytes), at: 0, end: bytes.length }
  return { value: decodeInteger(cursor, prefixBits), at: cursor.at }
}

const isCompressionError = (error: unknown): boolean =>
  error instanceof Http2Error && error.errorCode === COMPRESSION_ERROR && error.streamId === 0

describe('integers', () => {
  it('are written as the examples of RFC 7541 C.1 are', () => {
    assert.deepEqual(encode(10, 5), [10])
    assert.deepEqual(encode(1337, 5), [31, 154, 10])
    assert.deepEqual(encode(42, 8), [42])
    assert.deepEqual(decode([0xea], 5), { value: 10, at: 1 })
    assert.deepEqual(decode([0xff, 154, 10], 5), { value: 1337, at: 3 })
  })

  it('come back as they were, in every prefix', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: MAX_INTEGER }),
        fc.integer({ min: 1, max: 8 }),
        (value, bits) => {
          const bytes = encode(value, bits)
          assert.deepEqual(decode(bytes, bits), { value, at: bytes.length })
        },
      ),
    )
  })

  it('are refused past 2^31-1', () => {
    assert.equal(decode(encode(MAX_INTEGER, 5), 5).value, MAX_INTEGER)
    assert.throws(() => decode([0x1f, 0xe1, 0xff, 0xff, 0xff, 0x07], 5), isCompressionError)
    assert.throws(() => decode([0x1f, 0xff, 0xff, 0xff, 0xff, 0x7f], 5), isCompressionError)
  })

  it('may be padded to five continuation octets and no further', () => {
    assert.equal(decode([0x1f, 0x80, 0x80, 0x80, 0x80, 0x00], 5).value, 31)
    assert.throws(() => decode([0x1f, 0x80, 0x80, 0x80, 0x80, 0x80, 0x00], 5), isCompressionError)
  })

  it('are refused where the block ends within them', () => {
    for (const bytes of [[], [0x1f], [0x1f, 0x9a]])
      assert.throws(() => decode(bytes, 5), isCompressionError)
  })
})
