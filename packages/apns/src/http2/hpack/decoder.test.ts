import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { COMPRESSION_ERROR, Http2Error } from '../errors.ts'
import { HpackDecoder, type OnField } from './decoder.ts'

type Field = [name: string, value: string, sensitive: boolean]

const newDecoder = (maxTableBytes = 4096, maxHeaderListBytes = 16_384): HpackDecoder =>
  new HpackDecoder({ maxTableBytes, maxHeaderListBytes })

function decode(decoder: HpackDecoder, hex: string): Field[] {
  const bytes = Buffer.from(hex.replaceAll(' ', ''), 'hex')
  const fields: Field[] = []
  const onField: OnField = (...field) => fields.push(field)
  decoder.decode(bytes, 0, bytes.length, onField)
  return fields
}

/** Asserts that the connection is lost for what the message says. */
function refuses(decoder: HpackDecoder, hex: string, message: RegExp): void {
  assert.throws(
    () => decode(decoder, hex),
    (error) => {
      assert.ok(error instanceof Http2Error)
      assert.deepEqual([error.errorCode, error.streamId], [COMPRESSION_ERROR, 0])
      assert.match(error.message, message)
      return true
    },
  )
}

/** `a: b`, inserted: 34 bytes of the table. */
const INSERT_A = '40 01 61 01 62'
const A: Field = ['a', 'b', false]

describe('HpackDecoder', () => {
  it('reads the answer that Apple gives most', () => {
    assert.deepEqual(decode(newDecoder(), '88'), [[':status', '200', false]])
    assert.deepEqual(decode(newDecoder(0), '20 88'), [[':status', '200', false]])
  })

  it('tells which fields are never to be indexed', () => {
    assert.deepEqual(decode(newDecoder(), '10 01 61 01 62'), [['a', 'b', true]])
    assert.deepEqual(decode(newDecoder(), '00 01 61 01 62'), [A])
  })

  it('gives an entry of the table as the very strings it stored', () => {
    const decoder = newDecoder()
    decode(decoder, INSERT_A)
    assert.deepEqual(decode(decoder, 'be 7e 01 63 be bf'), [
      A,
      ['a', 'c', false],
      ['a', 'c', false],
      A,
    ])
  })

  it('resolves a name whose entry the insertion evicts', () => {
    const decoder = newDecoder(40)
    decode(decoder, INSERT_A)
    assert.deepEqual(decode(decoder, '7e 01 63 be'), [
      ['a', 'c', false],
      ['a', 'c', false],
    ])
  })

  it('tells of a field too large for the table, which is empty then', () => {
    const decoder = newDecoder(34)
    decode(decoder, INSERT_A)
    assert.deepEqual(decode(decoder, '40 01 61 02 62 62'), [['a', 'bb', false]])
    refuses(decoder, 'be', /not in the table/)
  })

  it('reads only between start and end', () => {
    const fields: Field[] = []
    const bytes = Buffer.from('ff8888ff', 'hex')
    newDecoder().decode(bytes, 1, 2, (...field) => fields.push(field))
    assert.equal(fields.length, 1)
  })

  it('takes octets past ASCII as characters 128 to 255', () => {
    assert.deepEqual(decode(newDecoder(), '00 01 61 02 c3 a9'), [['a', '\xc3\xa9', false]])
  })

  it('is not fooled by names that end alike, or that are alike but for the Huffman bit', () => {
    const decoder = newDecoder()
    for (const [hex, name] of [
      ['00 02 62 61 00', 'ba'],
      ['00 02 63 61 00', 'ca'],
      ['00 01 1f 00', '\x1f'],
      ['00 81 1f 00', 'a'],
      ['00 01 1f 00', '\x1f'],
    ] as const)
      assert.deepEqual(decode(decoder, hex), [[name, '', false]])
  })

  it('refuses index 0, and indices past the table, for a field and for a name', () => {
    refuses(newDecoder(), '80', /index 0/)
    for (const hex of ['be', '7e 01 61', '0f 2f 01 61', '1f 2f 01 61', 'ff 80 ff ff ff 07'])
      refuses(newDecoder(), hex, /not in the table/)
    const decoder = newDecoder()
    decode(decoder, INSERT_A)
    refuses(decoder, 'bf', /index 63 is not/)
  })

  it('refuses integers that are too large or too long', () => {
    for (const hex of ['ff ff 80 ff ff ff 07', 'ff 80 80 80 80 80 00', '00 7f ff ff ff ff 7f'])
      refuses(newDecoder(), hex, /too large or too long/)
  })

  it('refuses a string longer than the block, however long it claims to be', () => {
    for (const hex of ['00 02 61', '00 01 61 05 62', '00 7f ff ff ff ff 06'])
      refuses(newDecoder(), hex, /cut off in a string/)
  })

  it('refuses bad padding and EOS in names and in values', () => {
    for (const hex of ['00 81 18 00', '00 01 61 82 1f ff', '41 81 18'])
      refuses(newDecoder(), hex, /padded/)
    for (const hex of ['00 84 ff ff ff ff 00', '41 84 ff ff ff fc'])
      refuses(newDecoder(), hex, /EOS/)
  })

  it('decodes every block but never more than the list may take, and keeps the tables alike', () => {
    const decoder = newDecoder(4096, 80)
    const block = Buffer.from('4001610162 4001630164 be'.replaceAll(' ', ''), 'hex')
    const names: string[] = []
    assert.equal(
      decoder.decode(block, 0, block.length, (name) => names.push(name)),
      false,
    )
    assert.deepEqual(names, ['a', 'c'])
    assert.deepEqual(decode(decoder, 'bf be'), [A, ['c', 'd', false]])
  })

  it('bounds a list that one index a byte makes large', () => {
    const decoder = newDecoder(4096, 1000)
    let told = 0
    const block = Buffer.alloc(10_000, 0x88)
    assert.equal(
      decoder.decode(block, 0, block.length, () => told++),
      false,
    )
    assert.equal(told, 23)
  })
})

describe('the size of the decoder’s table', () => {
  it('may be changed before the first field, several times, up to the limit', () => {
    assert.deepEqual(decode(newDecoder(), '20 3f e1 1f 88'), [[':status', '200', false]])
    refuses(newDecoder(), '3f e2 1f', /above the limit/)
  })

  it('may not be changed behind a field', () => {
    refuses(newDecoder(), '88 20', /behind a field/)
  })

  it('stays what it was for a peer that says nothing of the lower limit, as h2o and lighttpd do', () => {
    const decoder = newDecoder()
    decode(decoder, INSERT_A)
    decoder.setMaxTableBytes(0)
    assert.deepEqual(decode(decoder, `be ${INSERT_A} bf`), [A, A, A])
    refuses(decoder, '3f e1 1f 88', /above the limit/)
  })

  it('must first be the least of the limits since the last block, then may be the latest', () => {
    const lowered = (): HpackDecoder => {
      const decoder = newDecoder()
      decode(decoder, INSERT_A)
      decoder.setMaxTableBytes(0)
      decoder.setMaxTableBytes(4096)
      return decoder
    }
    refuses(lowered(), '3f e1 1f 88', /above the limit/)
    refuses(lowered(), '20 3f e1 1f be', /not in the table/)
    const decoder = lowered()
    assert.deepEqual(decode(decoder, `20 3f e1 1f ${INSERT_A} be`), [A, A])
    assert.deepEqual(decode(decoder, 'be'), [A])
  })

  it('need not be announced by a peer whose table is small enough, nor by an empty block', () => {
    const decoder = newDecoder()
    decode(decoder, '20')
    decoder.setMaxTableBytes(100)
    assert.equal(decode(decoder, '88').length, 1)
    const waiting = newDecoder()
    waiting.setMaxTableBytes(0)
    assert.deepEqual(decode(waiting, ''), [])
    assert.equal(decode(waiting, '88').length, 1)
  })

  it('keeps its entries until the peer says that it obeys', () => {
    const decoder = newDecoder()
    decode(decoder, INSERT_A)
    decoder.setMaxTableBytes(100)
    assert.deepEqual(decode(decoder, '3f 45 be'), [A])
    assert.throws(() => decode(newDecoder(100), '3f 46'), Http2Error)
  })
})

describe('random octets', () => {
  it('are decoded, or refused with an Http2Error', () => {
    const blocks = fc.array(fc.uint8Array({ maxLength: 60 }), { maxLength: 4 })
    fc.assert(
      fc.property(blocks, fc.integer({ min: 0, max: 200 }), (list, maxTableBytes) => {
        const decoder = newDecoder(100, 500)
        try {
          for (const block of list) {
            decoder.decode(block, 0, block.length, () => {})
            decoder.setMaxTableBytes(maxTableBytes)
          }
        } catch (error) {
          assert.ok(error instanceof Http2Error)
        }
      }),
      { numRuns: 3000 },
    )
  })
})
