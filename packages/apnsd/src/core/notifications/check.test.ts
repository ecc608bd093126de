import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { checkNotifications } from './check.ts'
import type { JsonObject } from './payload.ts'
import type { Refusal } from './refusal.ts'
import type { NotificationRequest } from './request.ts'

const TOPIC = 'com.example.app'
const DEVICE_TOKEN = 'ab'.repeat(32)

/** A payload whose JSON has exactly `bytes` bytes. */
function payloadOf(bytes: number): JsonObject {
  const empty = '{"aps":{"alert":""}}'.length
  return { aps: { alert: 'x'.repeat(bytes - empty) } }
}

const refusalsOf = (topic: string, requests: Partial<NotificationRequest>[]): Refusal[] =>
  checkNotifications(
    topic,
    requests.map((request) => ({ deviceToken: DEVICE_TOKEN, payload: { aps: {} }, ...request })),
  ).refused

const headersOf = (request: Partial<NotificationRequest>) =>
  checkNotifications(TOPIC, [{ deviceToken: DEVICE_TOKEN, payload: { aps: {} }, ...request }])
    .taken[0]?.payload.headers

describe('checkNotifications', () => {
  it('encodes a payload as compact UTF-8 JSON in its own order, large integers digit by digit', () => {
    const payload = {
      aps: { alert: 'Grüße 👋 & <b>', badge: 0 },
      k: [1, 2.5, true, null],
      n: 9007199254740993n,
    }
    const [checked] = checkNotifications(TOPIC, [{ deviceToken: DEVICE_TOKEN, payload }]).taken
    assert.equal(
      Buffer.from(checked?.payload.bytes ?? []).toString(),
      '{"aps":{"alert":"Grüße 👋 & <b>","badge":0},"k":[1,2.5,true,null],"n":9007199254740993}',
    )
  })

  it('encodes a payload that many share once', () => {
    const payload = { aps: { alert: 'hi' } }
    const [one, other] = checkNotifications(TOPIC, [
      { deviceToken: DEVICE_TOKEN, payload },
      { deviceToken: DEVICE_TOKEN, payload },
    ]).taken
    assert.equal(one?.payload, other?.payload)
  })

  it('takes payloads up to Apple’s limit, which is inclusive and larger for voip', () => {
    for (const [topic, bytes] of [
      [TOPIC, 4096],
      [`${TOPIC}.voip`, 5120],
    ] as const) {
      checkNotifications(topic, [{ deviceToken: DEVICE_TOKEN, payload: payloadOf(bytes) }])
      const [refusal] = refusalsOf(topic, [{ payload: payloadOf(bytes + 1) }])
      assert.equal(refusal?.code, 'payload-too-large')
      assert.match(refusal.detail, new RegExp(`has ${bytes + 1} bytes.*${bytes}`))
    }
  })

  it('counts bytes, not characters', () => {
    const payload = { aps: { alert: 'ü'.repeat(2039) } }
    assert.equal(refusalsOf(TOPIC, [{ payload }])[0]?.code, 'payload-too-large')
  })

  it('names place and reason of each that is wrong, and takes the others', () => {
    const payload = { aps: {} }
    const { taken, refused } = checkNotifications(
      TOPIC,
      [
        { deviceToken: DEVICE_TOKEN, payload },
        { deviceToken: 'zz', payload },
        { deviceToken: '', payload },
        { deviceToken: DEVICE_TOKEN, payload: { aps: 'hi' } },
        { deviceToken: DEVICE_TOKEN, payload },
      ],
      1000,
    )
    assert.deepEqual(
      taken.map(({ index }) => index),
      [1000, 1004],
    )
    assert.deepEqual(
      refused.map(({ index, code, field }) => [index, code, field]),
      [
        [1001, 'invalid-device-token', 'deviceToken'],
        [1002, 'invalid-device-token', 'deviceToken'],
        [1003, 'invalid-payload', 'payload'],
      ],
    )
    assert.equal(refused[0]?.detail, 'The device token has a character that is no hex digit.')
  })

  it('decides each header as it was asked for, else as topic and payload tell', () => {
    assert.deepEqual(headersOf({}), { pushType: 'alert', priority: 10 })
    assert.deepEqual(headersOf({ payload: { aps: { 'content-available': 1 } } }), {
      pushType: 'background',
      priority: 5,
    })
    assert.deepEqual(
      headersOf({
        pushType: 'voip',
        topic: TOPIC,
        priority: 5,
        expirationEpochS: 0,
        collapseId: 'c',
      }),
      {
        pushType: 'voip',
        priority: 5,
        topic: `${TOPIC}.voip`,
        expirationEpochS: 0,
        collapseId: 'c',
      },
    )
  })

  it('refuses headers that Apple would refuse, each by name', () => {
    for (const [field, request] of [
      ['pushType', { pushType: 'aler' }],
      ['priority', { priority: 7 }],
      ['priority', { pushType: 'background', priority: 10 }],
      ['topic', { topic: 'no blanks' }],
      ['expirationEpochS', { expirationEpochS: -1 }],
      ['expirationEpochS', { expirationEpochS: 1_700_000_000_000 }],
      ['collapseId', { collapseId: 'ü'.repeat(33) }],
      ['collapseId', { collapseId: '' }],
    ] as const)
      assert.deepEqual(
        refusalsOf(TOPIC, [request]).map((refusal) => refusal.field),
        [field],
        JSON.stringify(request),
      )
    assert.match(refusalsOf(TOPIC, [{ pushType: 'aler' }])[0]?.detail ?? '', /alert\?/)
  })

  it('keeps apart notifications that share a payload and differ in their headers', () => {
    const payload = { aps: {} }
    const { taken } = checkNotifications(TOPIC, [
      { deviceToken: DEVICE_TOKEN, payload, collapseId: 'a' },
      { deviceToken: DEVICE_TOKEN, payload, collapseId: 'b' },
    ])
    assert.deepEqual(
      taken.map((one) => one.payload.headers.collapseId),
      ['a', 'b'],
    )
  })
})
