import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { HpackDecoder } from './decoder.ts'
import { HpackEncoder } from './encoder.ts'
import { ConstantField, FieldName, MAX_BLOCK_START_BYTES, maxFieldBytes } from './fields.ts'

type Field = [name: string, value: string, sensitive: boolean]
type Write = (target: Buffer, at: number) => number

/** Encodes a block of fields, each into exactly the room that its bound asks for. */
function encode(encoder: HpackEncoder, ...writes: Write[]): Buffer {
  const target = Buffer.alloc(8192)
  let at = encoder.beginBlock(target, 0)
  for (const write of writes) at = write(target, at)
  return target.subarray(0, at)
}

function decode(decoder: HpackDecoder, block: Uint8Array): Field[] {
  const fields: Field[] = []
  assert.ok(decoder.decode(block, 0, block.length, (...field) => fields.push(field)))
  return fields
}

const newDecoder = (maxTableBytes = 4096): HpackDecoder =>
  new HpackDecoder({ maxTableBytes, maxHeaderListBytes: 65_536 })

const hexOf = (block: Uint8Array): string => Buffer.from(block).toString('hex')

describe('HpackEncoder', () => {
  it('writes a field of the static table as one byte from the first time on', () => {
    const encoder = new HpackEncoder()
    const post = new ConstantField(new FieldName(':method'), 'POST')
    const https = new ConstantField(new FieldName(':scheme'), 'https')
    const write =
      (field: ConstantField): Write =>
      (target, at) =>
        encoder.encodeConstant(target, at, field)
    assert.equal(hexOf(encode(encoder, write(post), write(https))), '8387')
  })

  it('writes a constant in full once and as one byte afterwards', () => {
    const encoder = new HpackEncoder()
    const decoder = newDecoder()
    const topic = new ConstantField(new FieldName('apns-topic'), 'com.example.app')
    const write: Write = (target, at) => encoder.encodeConstant(target, at, topic)
    const first = encode(encoder, write)
    assert.equal(first[0], 0x40)
    const second = encode(encoder, write)
    assert.equal(hexOf(second), 'be')
    for (const block of [first, second])
      assert.deepEqual(decode(decoder, block), [['apns-topic', 'com.example.app', false]])
  })

  it('writes a varying value with its name the first time, then with the name’s index and as it is', () => {
    const encoder = new HpackEncoder()
    const apnsId = new FieldName('apns-id')
    const write =
      (value: string): Write =>
      (target, at) =>
        encoder.encodeVarying(target, at, apnsId, value)
    const blocks = ['one', 'two'].map((value) => encode(encoder, write(value)))
    assert.equal(blocks[0]![0], 0x40)
    assert.equal(hexOf(blocks[1]!), '0f2f0374776f')
    const decoder = newDecoder()
    assert.deepEqual(
      blocks.map((block) => decode(decoder, block)),
      [[['apns-id', 'one', false]], [['apns-id', 'two', false]]],
    )
  })

  it('writes a path of two parts, unindexed, never inserted', () => {
    const encoder = new HpackEncoder()
    const path = new FieldName(':path')
    const block = encode(encoder, (target, at) =>
      encoder.encodeVarying(target, at, path, '/3/device/', 'ab'),
    )
    assert.equal(hexOf(block), '040c2f332f6465766963652f6162')
  })

  it('writes a secret so that nobody may index it', () => {
    const encoder = new HpackEncoder()
    const authorization = new FieldName('authorization')
    const block = encode(encoder, (target, at) =>
      encoder.encodeNeverIndexed(target, at, authorization, 'bearer x'),
    )
    assert.equal(hexOf(block.subarray(0, 2)), '1f08')
    assert.deepEqual(decode(newDecoder(), block), [['authorization', 'bearer x', true]])
  })

  it('refuses characters past 255 where it sees each field once, and a buffer that is too short', () => {
    assert.throws(() => new FieldName('\u0100'), RangeError)
    assert.throws(() => new ConstantField(new FieldName('a'), '\u0100'), RangeError)
    const encoder = new HpackEncoder()
    const name = new FieldName('a')
    const short = Buffer.alloc(10)
    assert.throws(() => encoder.encodeVarying(short, 0, name, 'value'), RangeError)
  })
})

describe('the size of the encoder’s table', () => {
  const sizes = (encoder: HpackEncoder, ...bytes: number[]): string => {
    for (const each of bytes) encoder.setPeerMaxTableBytes(each)
    return hexOf(encode(encoder))
  }

  it('is announced before the next block where the peer lowers it', () => {
    const encoder = new HpackEncoder()
    assert.equal(sizes(encoder), '')
    assert.equal(sizes(encoder, 0), '20')
    assert.equal(sizes(encoder), '')
  })

  it('is announced twice where it went down and up, the least first', () => {
    assert.equal(sizes(new HpackEncoder(), 100, 0, 50, 4096), '203fe11f')
    assert.equal(sizes(new HpackEncoder(), 100, 50), '3f13')
  })

  it('stays within our own limit, and what is above that needs no announcement', () => {
    assert.equal(sizes(new HpackEncoder(), 2 ** 32 - 1), '')
    assert.equal(sizes(new HpackEncoder(0)), '20')
    assert.equal(sizes(new HpackEncoder(8192), 8192), '3fe13f')
  })

  it('of 0 leaves every field a literal that is not inserted', () => {
    const encoder = new HpackEncoder()
    encoder.setPeerMaxTableBytes(0)
    const topic = new ConstantField(new FieldName('apns-topic'), 'com.example')
    const apnsId = new FieldName('apns-id')
    const decoder = newDecoder(0)
    for (let time = 0; time < 2; time++) {
      const block = encode(
        encoder,
        (target, at) => encoder.encodeConstant(target, at, topic),
        (target, at) => encoder.encodeVarying(target, at, apnsId, 'x'),
      )
      assert.equal(decode(decoder, block).length, 2)
    }
  })

  it('too small for all constants keeps those that fit, rather than to evict each for the next', () => {
    const encoder = new HpackEncoder()
    encoder.setPeerMaxTableBytes(100)
    const fields = ['a', 'b', 'c', 'd'].map((name) => new ConstantField(new FieldName(name), 'v'))
    const writes = fields.map(
      (field): Write =>
        (target, at) =>
          encoder.encodeConstant(target, at, field),
    )
    encode(encoder, ...writes)
    const blocks = [1, 2, 3].map(() => hexOf(encode(encoder, ...writes)))
    assert.deepEqual(blocks, Array(3).fill('bfbe'.concat('0001630176', '0001640176')))
  })

  it('makes room for a new constant once an old one is out of use', () => {
    const encoder = new HpackEncoder()
    encoder.setPeerMaxTableBytes(100)
    const name = new FieldName('a')
    const [old, current, next] = ['1', '2', '3'].map((value) => new ConstantField(name, value))
    const write =
      (field: ConstantField): Write =>
      (target, at) =>
        encoder.encodeConstant(target, at, field)
    encode(encoder, write(old!), write(current!))
    for (let block = 0; block < 200; block++) encode(encoder, write(current!))
    assert.equal(encode(encoder, write(current!), write(next!))[1]! & 0xc0, 0x40)
    assert.equal(hexOf(encode(encoder, write(current!), write(next!))), 'bfbe')
  })
})

const latin1 = fc
  .uint8Array({ maxLength: 200 })
  .map((octets) => Buffer.from(octets).toString('latin1'))
const step = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      kind: fc.constantFrom('constant', 'varying', 'secret'),
      name: fc.constantFrom('a', 'apns-id', ':path', ':method', 'authorization', 'x'.repeat(70)),
      value: fc.oneof(fc.constantFrom('POST', '1', '2', ''), latin1),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant('size'), bytes: fc.integer({ min: 0, max: 9000 }) }),
  },
  { weight: 2, arbitrary: fc.constant({ kind: 'block' } as const) },
)

describe('encoder and decoder', () => {
  it('agree on every field, whatever becomes of the table, and no field exceeds its bound', () => {
    fc.assert(
      fc.property(
        fc.array(step, { maxLength: 120 }),
        fc.integer({ min: 0, max: 9000 }),
        (steps, ownBytes) => {
          const encoder = new HpackEncoder(ownBytes)
          const decoder = newDecoder()
          const names = new Map<string, FieldName>()
          const constants = new Map<string, ConstantField>()
          let target = Buffer.alloc(MAX_BLOCK_START_BYTES)
          let at = encoder.beginBlock(target, 0)
          let sent: Field[] = []
          for (const each of [...steps, { kind: 'block' } as const]) {
            if ('bytes' in each) {
              encoder.setPeerMaxTableBytes(each.bytes)
            }
            if (each.kind === 'block' || 'bytes' in each) {
              assert.deepEqual(decode(decoder, target.subarray(0, at)), sent)
              if ('bytes' in each) decoder.setMaxTableBytes(each.bytes)
              target = Buffer.alloc(MAX_BLOCK_START_BYTES)
              at = encoder.beginBlock(target, 0)
              sent = []
            }
            if (!('value' in each)) continue
            const name = names.get(each.name) ?? new FieldName(each.name)
            names.set(each.name, name)
            target = Buffer.concat([
              target.subarray(0, at),
              Buffer.alloc(maxFieldBytes(each.name.length, each.value.length)),
            ])
            if (each.kind === 'constant') {
              const key = `${each.name}\0${each.value}`
              const field = constants.get(key) ?? new ConstantField(name, each.value)
              constants.set(key, field)
              at = encoder.encodeConstant(target, at, field)
            } else if (each.kind === 'varying')
              at = encoder.encodeVarying(target, at, name, each.value)
            else at = encoder.encodeNeverIndexed(target, at, name, each.value)
            sent.push([each.name, each.value, each.kind === 'secret'])
          }
        },
      ),
      { numRuns: 300 },
    )
  })
})
