import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ApnsdError } from '../../base/errors.ts'
import { pairNotifications } from './notify-params.ts'
import { Base64, DateTime, type XmlRpcValue } from './values.ts'

const one = { aps: { badge: 1 } }
const two = { aps: { badge: 2 } }

function pair(deviceTokens: XmlRpcValue, notifications: XmlRpcValue): [string, unknown][] {
  const requests = pairNotifications(deviceTokens, notifications, false)
  return requests.map(({ deviceToken, payload }) => [deviceToken, payload])
}

function refusal(deviceTokens: XmlRpcValue, notifications: XmlRpcValue): ApnsdError {
  try {
    pairNotifications(deviceTokens, notifications, false)
  } catch (thrown) {
    assert.ok(thrown instanceof ApnsdError)
    return thrown
  }
  return assert.fail('was taken')
}

test('a device token and a notification are one', () => {
  assert.deepEqual(pair('aa', one), [['aa', one]])
})

test('a device token and a list of one notification are one', () => {
  assert.deepEqual(pair('aa', [one]), [['aa', one]])
})

test('a list of device tokens and a notification: the same object goes to each', () => {
  const requests = pairNotifications(['aa', 'bb'], one, true)
  assert.deepEqual(
    requests.map(({ deviceToken }) => deviceToken),
    ['aa', 'bb'],
  )
  assert.equal(requests[0]?.payload, one)
  assert.equal(requests[1]?.payload, one)
})

test('lists of equal length are pairs', () => {
  assert.deepEqual(pair(['aa', 'bb'], [one, two]), [
    ['aa', one],
    ['bb', two],
  ])
  assert.deepEqual(pair(['aa'], [one]), [['aa', one]])
})

test('empty lists are no notification', () => {
  assert.deepEqual(pair([], []), [])
  assert.deepEqual(pair([], one), [])
})

test('lists of different length are refused with both lengths', () => {
  for (const [tokens, notifications, words] of [
    [['aa', 'bb'], [one], /device tokens 2, notifications 1/],
    [['aa'], [], /device tokens 1, notifications 0/],
    [[], [one], /device tokens 0, notifications 1/],
    ['aa', [one, two], /device tokens 1, notifications 2/],
    ['aa', [], /device tokens 1, notifications 0/],
  ] as [XmlRpcValue, XmlRpcValue, RegExp][]) {
    const error = refusal(tokens, notifications)
    assert.equal(error.code, 'invalid-argument')
    assert.match(error.message, words)
  }
})

test('what is no device token or no notification is refused with its position', () => {
  for (const [tokens, notifications, words] of [
    [null, one, /^The device tokens are nil; they must be a string or an array of strings\.$/],
    [{ a: 'b' }, one, /^The device tokens are a struct/],
    [['aa', 7], one, /^Device token 2 of 2 is an int; it must be a string\.$/],
    [['aa', ['bb']], [one, two], /^Device token 2 of 2 is an array/],
    ['aa', 'x', /^The notifications are a string; they must be a struct or an array of structs\.$/],
    ['aa', new DateTime(0), /^The notifications are a dateTime/],
    [['aa', 'bb'], [one, true], /^Notification 2 of 2 is a boolean; it must be a struct\.$/],
    ['aa', [[one]], /^Notification 1 of 1 is an array/],
  ] as [XmlRpcValue, XmlRpcValue, RegExp][]) {
    const error = refusal(tokens, notifications)
    assert.equal(error.code, 'invalid-argument')
    assert.match(error.message, words)
  }
})

test('what JSON cannot say is refused with the position and the path of names', () => {
  for (const [notifications, words] of [
    [
      [one, { aps: { alert: { when: new DateTime(0) } } }],
      /^The payload of notification 2 of 2 holds a dateTime\.iso8601 at aps\.alert\.when, /,
    ],
    [
      { k: [1, { b: new Base64(new Uint8Array()) }] },
      /^The payload holds a base64 at k\.1\.b, which/,
    ],
    [
      [{ k: Number.NaN }],
      /^The payload of notification 1 of 1 holds a double that is no number at k/,
    ],
    [[{ k: -Infinity }], /notification 1 of 1 holds an infinite double at k/],
  ] as [XmlRpcValue, RegExp][]) {
    const tokens = Array.isArray(notifications) ? notifications.map(() => 'aa') : 'aa'
    const error = refusal(tokens, notifications)
    assert.equal(error.code, 'invalid-payload')
    assert.match(error.message, words)
  }
})
