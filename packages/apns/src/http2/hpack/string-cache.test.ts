import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { encodeHuffman, huffmanBytes } from './huffman.ts'
import { StringCache } from './string-cache.ts'

function encode(text: string, huffman: boolean): Buffer {
  if (!huffman) return Buffer.from(text, 'latin1')
  const bytes = Buffer.alloc(huffmanBytes(text))
  encodeHuffman(bytes, 0, text)
  return bytes
}

describe('StringCache', () => {
  it('gives back what the octets say, whatever came before', () => {
    const text = fc.string({ minLength: 1, maxLength: 80, unit: 'binary-ascii' })
    const pool = fc.array(fc.tuple(text, fc.boolean()), { minLength: 1, maxLength: 5 })
    const order = fc.array(fc.nat(4), { maxLength: 60 })
    fc.assert(
      fc.property(pool, order, (strings, picks) => {
        const cache = new StringCache()
        for (const pick of picks) {
          const [expected, huffman] = strings[pick % strings.length]!
          const bytes = Buffer.concat([Buffer.from('>>'), encode(expected, huffman)])
          assert.equal(cache.decode(bytes, 2, bytes.length, huffman), expected)
          bytes.fill(0) // what it keeps is a copy
        }
      }),
    )
  })

  it('keeps a copy: a buffer that is used again does not change what it knows', () => {
    const cache = new StringCache()
    const bytes = Buffer.alloc(4)
    for (const text of ['aXbc', 'aXbc', 'aYbc', 'aYbc', 'aXbc']) {
      bytes.write(text, 'latin1')
      assert.equal(cache.decode(bytes, 0, 4, false), text)
    }
    for (const text of ['410', '410', '429', '200', '410']) {
      bytes.write(text, 'latin1')
      assert.equal(cache.decode(bytes, 0, 3, false), text)
    }
  })

  it('tells the same octets apart by whether they are Huffman-coded', () => {
    const cache = new StringCache()
    const bytes = encode('www.example.com', true)
    for (let n = 0; n < 3; n += 1) {
      assert.equal(cache.decode(bytes, 0, bytes.length, true), 'www.example.com')
      assert.equal(cache.decode(bytes, 0, bytes.length, false), bytes.toString('latin1'))
    }
  })
})
