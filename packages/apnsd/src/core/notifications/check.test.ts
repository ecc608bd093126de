import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { ApnsdError } from '../../base/errors.ts'
import { checkNotifications } from './check.ts'
import type { JsonObject } from './payload.ts'

const TOPIC = 'com.example.app'
const DEVICE_TOKEN = 'ab'.repeat(32)

/** A payload whose JSON has exactly `bytes` bytes. */
function payloadOf(bytes: number): JsonObject {
  const empty = '{"aps":{"alert":""}}'.length
  return { aps: { alert: 'x'.repeat(bytes - empty) } }
}

const refusalOf = (
  topic: string,
  requests: { deviceToken: string; payload: JsonObject }[],
): ApnsdError => {
  try {
    checkNotifications(topic, requests)
  } catch (error) {
    assert.ok(error instanceof ApnsdError)
    return error
  }
  return assert.fail('it was taken')
}

describe('checkNotifications', () => {
  it('encodes a payload as compact UTF-8 JSON in its own order, large integers digit by digit', () => {
    const payload = {
      aps: { alert: 'Grüße 👋 & <b>', badge: 0 },
      k: [1, 2.5, true, null],
      n: 9007199254740993n,
    }
    const [checked] = checkNotifications(TOPIC, [{ deviceToken: DEVICE_TOKEN, payload }])
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
    ])
    assert.equal(one?.payload, other?.payload)
  })

  it('takes payloads up to Apple’s limit, which is inclusive and larger for voip', () => {
    for (const [topic, bytes] of [
      [TOPIC, 4096],
      [`${TOPIC}.voip`, 5120],
    ] as const) {
      checkNotifications(topic, [{ deviceToken: DEVICE_TOKEN, payload: payloadOf(bytes) }])
      const error = refusalOf(topic, [{ deviceToken: DEVICE_TOKEN, payload: payloadOf(bytes + 1) }])
      assert.equal(error.code, 'payload-too-large')
      assert.match(
        error.message,
        new RegExp(`notification 1 of 1 has ${bytes + 1} bytes.*${bytes}`),
      )
    }
  })

  it('counts bytes, not characters', () => {
    const payload = { aps: { alert: 'ü'.repeat(2039) } }
    assert.equal(
      refusalOf(TOPIC, [{ deviceToken: DEVICE_TOKEN, payload }]).code,
      'payload-too-large',
    )
  })

  it('names position and reason of the first that is wrong', () => {
    const good = { deviceToken: DEVICE_TOKEN, payload: { aps: {} } }
    const error = refusalOf(TOPIC, [
      good,
      { ...good, deviceToken: 'zz' },
      { ...good, deviceToken: '' },
    ])
    assert.equal(error.code, 'invalid-device-token')
    assert.equal(error.message, 'Device token 2 of 3 has a character that is no hex digit.')
    assert.equal(error.place, '/notifications/1/deviceToken')
    assert.equal(refusalOf(TOPIC, [{ ...good, payload: { aps: 'hi' } }]).code, 'invalid-payload')
  })
})
