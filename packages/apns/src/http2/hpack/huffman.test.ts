import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { Http2Error } from '../errors.ts'
import { decodeHuffman, encodeHuffman, huffmanBytes } from './huffman.ts'

const latin1Text = fc
  .uint8Array({ maxLength: 300 })
  .map((octets) => Buffer.from(octets).toString('latin1'))

function encode(text: string): Buffer {
  const target = Buffer.alloc(huffmanBytes(text))
  assert.equal(encodeHuffman(target, 0, text), target.length)
  return target
}

const decode = (hex: string): string => {
  const bytes = Buffer.from(hex, 'hex')
  return decodeHuffman(bytes, 0, bytes.length)
}

describe('the Huffman code', () => {
  it('is that of RFC 7541 appendix B', () => {
    assert.equal(encode('www.example.com').toString('hex'), 'f1e3c2e5f23a6ba0ab90f4ff')
    // rows of the appendix: 28, 30, 8, 19 and 26 bits, filled up with ones
    assert.equal(encode('\x02').toString('hex'), 'fffffe2f')
    assert.equal(encode('\n').toString('hex'), 'fffffff3')
    assert.equal(encode('X').toString('hex'), 'fc')
    assert.equal(encode('\\').toString('hex'), 'fffe1f')
    assert.equal(encode('\xff').toString('hex'), 'fffffbbf')
  })

  it('gives back every string of octets', () => {
    fc.assert(
      fc.property(latin1Text, (text) => {
        assert.equal(decodeHuffman(encode(text), 0, huffmanBytes(text)), text)
      }),
    )
  })

  it('gives back strings longer than its own buffer', () => {
    const text = '0a'.repeat(10_000)
    assert.equal(decodeHuffman(encode(text), 0, huffmanBytes(text)), text)
  })

  it('takes padding of one to seven ones', () => {
    assert.equal(decode('1f'), 'a')
    assert.equal(decode(''), '')
  })

  it('refuses padding with a zero in it, or of a whole octet', () => {
    for (const hex of ['18', '1e', '1fff', 'ff', 'ffff', 'fcff'])
      assert.throws(() => decode(hex), Http2Error)
  })

  it('refuses EOS, even where the string goes on behind it', () => {
    for (const hex of ['fffffffc', 'ffffffff', '1ffffffffc', 'fffffffc63', 'fffffffd8c7f'])
      assert.throws(() => decode(hex), Http2Error)
  })
})
