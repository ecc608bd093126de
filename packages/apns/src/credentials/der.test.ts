import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import {
  DerError,
  decodeDerElements,
  decodeDerInteger,
  decodeFirstDerElement,
  formatObjectIdentifier,
} from './der.ts'

const bytes = (hex: string): Uint8Array => Buffer.from(hex.replaceAll(' ', ''), 'hex')

describe('decodeDerElements', () => {
  it('reads the topics example of the protocol reference', () => {
    const [sequence] = decodeDerElements(
      bytes(
        '30 24 0C06 636f6d2e6578 3005 0C03 617070 0C0B 636f6d2e65782e766f6970 3006 0C04 766f6970',
      ),
    )
    assert.equal(sequence?.tag, 0x30)
    const tags = decodeDerElements(sequence.content).map(({ tag }) => tag)
    assert.deepEqual(tags, [0x0c, 0x30, 0x0c, 0x30])
  })

  it('reads lengths of one to four bytes', () => {
    for (const prefix of ['04 81 80', '04 82 0080', '04 83 000080', '04 84 00000080']) {
      const [element] = decodeDerElements(Buffer.concat([bytes(prefix), Buffer.alloc(128, 1)]))
      assert.equal(element?.content.length, 128)
    }
  })

  it('refuses an indefinite length, one of more than four bytes, and one past the end', () => {
    for (const hex of ['30 80', '30 85 0000000001 00', '30 02 00', '30', '30 82 01'])
      assert.throws(() => decodeDerElements(bytes(hex)), DerError)
  })

  it('takes any bytes without another error than its own', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), (input) => {
        try {
          decodeDerElements(input)
        } catch (error) {
          assert.ok(error instanceof DerError)
        }
      }),
    )
  })
})

describe('decodeFirstDerElement', () => {
  it('passes over what follows', () => {
    const { tag, content } = decodeFirstDerElement(bytes('02 01 07 0a0d'))
    assert.deepEqual([tag, ...content], [2, 7])
  })

  it('refuses nothing at all, and an element that is cut off', () => {
    for (const hex of ['', '02', '02 02 01'])
      assert.throws(() => decodeFirstDerElement(bytes(hex)), DerError)
  })
})

describe('decodeDerInteger', () => {
  it('reads numbers of either sign, and takes what does not count exactly for endless', () => {
    const cases: [string, number][] = [
      ['00', 0],
      ['7f', 127],
      ['0080', 128],
      ['0800', 2048],
      ['ff', -1],
      ['80', -128],
      ['1fffffffffffff', Number.MAX_SAFE_INTEGER],
      ['20000000000000', Number.POSITIVE_INFINITY],
      ['7f'.padEnd(1000, '0'), Number.POSITIVE_INFINITY],
      ['80'.padEnd(1000, '0'), Number.NEGATIVE_INFINITY],
    ]
    for (const [hex, value] of cases) assert.equal(decodeDerInteger(bytes(hex)), value, hex)
    assert.throws(() => decodeDerInteger(bytes('')), DerError)
  })
})

describe('formatObjectIdentifier', () => {
  it('writes Apple’s and RSA’s identifiers', () => {
    assert.equal(formatObjectIdentifier(bytes('2a864886f7636406 0306')), '1.2.840.113635.100.6.3.6')
    assert.equal(formatObjectIdentifier(bytes('2a864886f70d01010b')), '1.2.840.113549.1.1.11')
    assert.equal(formatObjectIdentifier(bytes('551d0f')), '2.5.29.15')
  })
})
