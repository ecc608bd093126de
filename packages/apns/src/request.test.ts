import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { HpackDecoder } from './http2/hpack/decoder.ts'
import { HpackEncoder } from './http2/hpack/encoder.ts'
import { MAX_BLOCK_START_BYTES } from './http2/hpack/fields.ts'
import { PUSH_TYPES, type PushType, topicFor } from './push-types.ts'
import { type ApnsNotification, findFault, RequestFields } from './request.ts'

const notification: ApnsNotification = {
  deviceToken: 'ab'.repeat(32),
  payload: '{}',
  topic: 'com.example.app',
  pushType: 'alert',
  apnsId: '123e4567-e89b-42d3-a456-426614174000',
}

/** One connection's fields, and what a peer makes of their blocks. */
class Exchange {
  readonly #fields: RequestFields
  readonly encoder = new HpackEncoder()
  readonly #decoder = new HpackDecoder({ maxTableBytes: 4096, maxHeaderListBytes: 100_000 })

  constructor(authority = 'api.push.apple.com') {
    this.#fields = new RequestFields(authority)
  }

  /** @returns the fields as the peer reads them, and how many bytes they took */
  send(changes: Partial<ApnsNotification> = {}, authorization: string | null = null) {
    this.#fields.set({ ...notification, ...changes }, authorization)
    const target = Buffer.alloc(MAX_BLOCK_START_BYTES + this.#fields.maxBytes)
    const end = this.#fields.encode(this.encoder, target, this.encoder.beginBlock(target, 0))
    assert.ok(end <= target.length)
    const fields: [string, string][] = []
    this.#decoder.decode(target, 0, end, (name, value) => fields.push([name, value]))
    return { fields, bytes: end }
  }
}

describe('RequestFields', () => {
  it('writes what Apple asks for, and nothing that was not decided', () => {
    assert.deepEqual(new Exchange().send({}, 'bearer JWT').fields, [
      [':method', 'POST'],
      [':scheme', 'https'],
      [':authority', 'api.push.apple.com'],
      [':path', `/3/device/${'ab'.repeat(32)}`],
      ['authorization', 'bearer JWT'],
      ['apns-topic', 'com.example.app'],
      ['apns-push-type', 'alert'],
      ['apns-id', '123e4567-e89b-42d3-a456-426614174000'],
    ])
  })

  it('writes what was decided, an expiration of 0 too, and no authorization beside a certificate', () => {
    const { fields } = new Exchange().send({ priority: 5, expirationEpochS: 0, collapseId: 'c' })
    assert.deepEqual(fields.slice(-3), [
      ['apns-priority', '5'],
      ['apns-expiration', '0'],
      ['apns-collapse-id', 'c'],
    ])
    assert.ok(!fields.some(([name]) => name === 'authorization'))
  })

  it('writes a collapse identifier past ASCII as the octets of UTF-8', () => {
    const { fields } = new Exchange().send({ collapseId: 'Ü€' })
    const [, value] = fields.at(-1)!
    assert.equal(Buffer.from(value, 'latin1').toString('utf8'), 'Ü€')
  })

  it('forgets what only the request before had', () => {
    const exchange = new Exchange()
    exchange.send({ priority: 5, expirationEpochS: 7, collapseId: 'c' }, 'bearer JWT')
    const names = exchange.send().fields.map(([name]) => name)
    assert.equal(names.length, 7)
    assert.equal(names.at(-1), 'apns-id')
  })

  it('takes a byte for what repeats, and writes the rest out each time without an entry', () => {
    const exchange = new Exchange()
    const change = (n: number) => ({
      apnsId: `123e4567-e89b-42d3-a456-${String(n).padStart(12, '0')}`,
      priority: 10 as const,
      expirationEpochS: 1_700_000_000 + n,
      collapseId: `c${100 + n}`,
    })
    const jwt = `bearer ${'x'.repeat(180)}`
    assert.ok(exchange.send(change(0), jwt).bytes > 300)
    const { bytes } = exchange.send(change(1), jwt)
    assert.ok(bytes < 10 + 76 + 39 + 13 + 7, `${bytes}`)
    for (let n = 2; n < 500; n += 1) assert.equal(exchange.send(change(n), jwt).bytes, bytes)
  })

  it('takes a byte for each of ten topics that take turns, and remembers no more than the table holds', () => {
    const exchange = new Exchange()
    const topic = (n: number) => ({ topic: `com.example.app${n}` })
    for (let n = 0; n < 10; n += 1) exchange.send(topic(n))
    const { bytes } = exchange.send(topic(0))
    for (let n = 0; n < 100; n += 1) assert.equal(exchange.send(topic(n % 10)).bytes, bytes)
    for (let n = 0; n < 2000; n += 1) {
      const changes = topic((n * 7) % 83)
      const { fields } = exchange.send(changes, `bearer ${'y'.repeat(100 + (n >> 6))}`)
      assert.ok(fields.some(([name, value]) => name === 'apns-topic' && value === changes.topic))
    }
  })

  it('follows the size of the peer’s table', () => {
    const exchange = new Exchange()
    exchange.send()
    const { bytes } = exchange.send()
    exchange.encoder.setPeerMaxTableBytes(0)
    assert.ok(exchange.send().bytes > bytes + 20)
    exchange.encoder.setPeerMaxTableBytes(4096)
    exchange.send()
    assert.equal(exchange.send().bytes, bytes)
  })
})

describe('findFault', () => {
  it('finds none in what can be sent, whether Apple would take it or not', () => {
    const sendable: Partial<ApnsNotification>[] = [
      {},
      { deviceToken: 'AB01' },
      { pushType: 'unheard-of' as PushType },
      { apnsId: '123E4567-E89B-42D3-A456-426614174000' },
      { expirationEpochS: 0 },
      { collapseId: 'x'.repeat(64) },
      { collapseId: '€'.repeat(21) },
      { payload: '' },
    ]
    for (const changes of sendable) assert.equal(findFault({ ...notification, ...changes }), null)
  })

  const faulty: [string, Partial<ApnsNotification>][] = [
    ['device token', { deviceToken: '' }],
    ['device token', { deviceToken: `${'a'.repeat(63)}g` }],
    ['device token', { deviceToken: 'ab cd' }],
    ['device token', { deviceToken: 'ab€' }],
    ['device token', { deviceToken: 'a'.repeat(513) }],
    ['apns-id', { apnsId: '' }],
    ['apns-id', { apnsId: '123e4567-e89b-42d3-a456-42661417400' }],
    ['apns-id', { apnsId: '123e4567-e89b-42d3-a456-42661417400\n' }],
    ['apns-id', { apnsId: '123e4567e89b-42d3-a456-4266-14174000' }],
    ['topic', { topic: '' }],
    ['topic', { topic: 'a\r\nb' }],
    ['topic', { topic: 'ä' }],
    ['push type', { pushType: 'alert\0' as PushType }],
    ['expiration', { expirationEpochS: -1 }],
    ['expiration', { expirationEpochS: 1.5 }],
    ['expiration', { expirationEpochS: Number.NaN }],
    ['64 bytes', { collapseId: 'x'.repeat(65) }],
    ['64 bytes', { collapseId: '€'.repeat(22) }],
    ['collapse identifier', { collapseId: '' }],
    ['collapse identifier', { collapseId: 'a\nb' }],
  ]
  for (const [what, changes] of faulty)
    it(`finds a ${what} that no header can hold: ${JSON.stringify(changes).slice(0, 60)}`, () => {
      assert.match(findFault({ ...notification, ...changes }) ?? '', new RegExp(what))
    })
})

describe('topicFor', () => {
  it('adds the suffix of the push type once', () => {
    for (const type of Object.keys(PUSH_TYPES) as PushType[]) {
      const topic = topicFor(type, 'com.example.app')
      assert.equal(topic, `com.example.app${PUSH_TYPES[type].topicSuffix}`)
      assert.equal(topicFor(type, topic), topic)
    }
  })
})
