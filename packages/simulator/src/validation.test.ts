import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { ProviderToken } from './provider-tokens.ts'
import { type PushRequest, type Verdict, validate, type World } from './validation.ts'

const NOW_MS = 1_800_000_000_000
const DEVICE_TOKEN = 'ab'.repeat(32)
const DEAD = 'dd'.repeat(32)
const EXPIRED = 'ee'.repeat(32)
const OTHERS = 'cc'.repeat(32)
const TOPIC = 'com.example.app'
const UUID = '8fae82c7-4b4d-4bfc-ae53-69e7e1ea5cdd'

const KEY: ProviderToken = {
  keyId: 'KEYKEYKEY1',
  teamId: 'TEAMTEAM01',
  issuedAtMs: NOW_MS - 60_000,
  topics: null,
  environments: ['sandbox', 'production'],
}

const WORLD: World = {
  environment: 'any',
  checkProviderToken: (text) => {
    if (text === 'good') return KEY
    return text === 'scoped' ? { ...KEY, topics: [TOPIC] } : null
  },
  deathOf: (deviceToken) => {
    if (deviceToken === DEAD) return { reason: 'Unregistered', timestampMs: 17 }
    return deviceToken === EXPIRED ? { reason: 'ExpiredToken', timestampMs: 18 } : undefined
  },
  bundleIdOf: (deviceToken) => (deviceToken === OTHERS ? 'com.example.other' : undefined),
}

/** Fields to change in a good request; null takes one away. */
type Change = Record<string, string | null>

function request(change: Change = {}, payloadBytes = 20): PushRequest {
  const fields: Change = {
    ':method': 'POST',
    ':scheme': 'https',
    ':path': `/3/device/${DEVICE_TOKEN}`,
    authorization: 'bearer good',
    'apns-topic': TOPIC,
    'apns-push-type': 'alert',
    ...change,
  }
  const kept = Object.entries(fields).filter(
    (field): field is [string, string] => field[1] !== null,
  )
  return { headers: Object.fromEntries(kept), hasDuplicateHeaders: false, payloadBytes }
}

function judge(pushed: PushRequest, topics: string[] | null = null): Verdict {
  const certificate =
    topics === null
      ? null
      : {
          trusted: true,
          topics,
          defaultTopic: topics.length === 1 ? (topics[0] ?? null) : null,
          environments: ['production'] as const,
          notBeforeMs: 0,
          notAfterMs: NOW_MS,
        }
  return validate(pushed, { certificate, binding: null }, WORLD, NOW_MS)
}

const to = (deviceToken: string): Change => ({ ':path': `/3/device/${deviceToken}` })

const REFUSED: [reason: string, status: number, what: string, change: Change, bytes?: number][] = [
  ['MethodNotAllowed', 405, 'GET', { ':method': 'GET' }],
  ['BadPath', 404, 'another path', { ':path': '/4/broadcasts/apps/com.example.app' }],
  ['BadPath', 404, 'a path that goes on', to(`${DEVICE_TOKEN}/more`)],
  ['MissingDeviceToken', 400, 'a path that ends early', to('')],
  ['MissingDeviceToken', 400, 'a path that ends before its slash', { ':path': '/3/device' }],
  ['MissingProviderToken', 403, 'no authorization', { authorization: null }],
  ['InvalidProviderToken', 403, 'a bad provider token', { authorization: 'bearer bad' }],
  ['BadMessageId', 400, 'an apns-id that is no UUID', { 'apns-id': 'message 1' }],
  ['BadMessageId', 400, 'an apns-id in braces', { 'apns-id': `{${UUID}}` }],
  ['BadExpirationDate', 400, 'an expiration that is no number', { 'apns-expiration': 'tomorrow' }],
  ['BadExpirationDate', 400, 'a negative expiration', { 'apns-expiration': '-1' }],
  ['BadExpirationDate', 400, 'milliseconds', { 'apns-expiration': '1800000000000' }],
  ['InvalidPushType', 400, 'an unknown push type', { 'apns-push-type': 'Alert' }],
  ['BadPriority', 400, 'priority 7', { 'apns-priority': '7' }],
  ['BadPriority', 400, 'background, 10', { 'apns-push-type': 'background', 'apns-priority': '10' }],
  ['BadCollapseId', 400, '65 bytes in 33 letters', { 'apns-collapse-id': `${'ä'.repeat(32)}x` }],
  ['MissingTopic', 400, 'no topic', { 'apns-topic': null }],
  ['BadTopic', 400, 'a topic with a blank', { 'apns-topic': 'com.example app' }],
  ['BadTopic', 400, 'an empty topic', { 'apns-topic': '' }],
  ['BadTopic', 400, 'voip without its ending', { 'apns-push-type': 'voip' }],
  ['BadTopic', 400, 'alert with the ending of voip', { 'apns-topic': `${TOPIC}.voip` }],
  ['BadTopic', 400, 'mdm on an app', { 'apns-push-type': 'mdm' }],
  [
    'TopicDisallowed',
    400,
    'a topic that the key is not for',
    { authorization: 'bearer scoped', 'apns-topic': 'com.example.other' },
  ],
  ['BadDeviceToken', 400, 'a device token that is not hex', to('xy'.repeat(32))],
  ['BadDeviceToken', 400, 'an odd number of digits', to(`${DEVICE_TOKEN}a`)],
  ['BadDeviceToken', 400, 'a device token cut short', to('ab'.repeat(31))],
  ['BadDeviceToken', 400, 'a device token of 101 bytes', to('ab'.repeat(101))],
  ['Unregistered', 410, 'a dead device token', to(DEAD)],
  ['ExpiredToken', 410, 'an expired device token', to(EXPIRED)],
  ['DeviceTokenNotForTopic', 400, "another app's device token", to(OTHERS)],
  ['PayloadEmpty', 400, 'no payload', {}, 0],
  ['PayloadTooLarge', 413, '4097 bytes', {}, 4097],
  [
    'PayloadTooLarge',
    413,
    '5121 bytes by voip',
    { 'apns-push-type': 'voip', 'apns-topic': `${TOPIC}.voip` },
    5121,
  ],
]

for (const [reason, status, what, change, bytes] of REFUSED) {
  test(`answers ${reason} to ${what}`, () => {
    const { answer } = judge(request(change, bytes))
    assert.equal(answer.reason, reason)
    assert.equal(answer.status, status)
  })
}

const TAKEN: [what: string, change: Change, bytes?: number][] = [
  ['a good push', {}],
  ['no push type', { 'apns-push-type': null }],
  [
    'upper case in device token and apns-id',
    { ...to('AB'.repeat(32)), 'apns-id': UUID.toUpperCase() },
  ],
  ['a device token of 100 bytes', to('ab'.repeat(100))],
  ['expiration 0', { 'apns-expiration': '0' }],
  ['priority 1', { 'apns-priority': '1' }],
  ['background with priority 5', { 'apns-push-type': 'background', 'apns-priority': '5' }],
  ['background without priority', { 'apns-push-type': 'background' }],
  ['a collapse identifier of 64 bytes', { 'apns-collapse-id': 'ä'.repeat(32) }],
  ['4096 bytes', {}, 4096],
  ['5120 bytes by voip', { 'apns-push-type': 'voip', 'apns-topic': `${TOPIC}.voip` }, 5120],
  [
    '5120 bytes to a voip topic alone',
    { 'apns-push-type': null, 'apns-topic': `${TOPIC}.voip` },
    5120,
  ],
  [
    'a live activity of an app that the key is for',
    {
      authorization: 'bearer scoped',
      'apns-push-type': 'liveactivity',
      'apns-topic': `${TOPIC}.push-type.liveactivity`,
    },
  ],
  ['mdm', { 'apns-push-type': 'mdm', 'apns-topic': `com.apple.mgmt.External.${UUID}` }],
]

for (const [what, change, bytes] of TAKEN) {
  test(`takes ${what}`, () => {
    assert.deepEqual(judge(request(change, bytes)).answer, {
      status: 200,
      reason: null,
      timestampMs: null,
      retryAfterS: null,
    })
  })
}

test('answers DuplicateHeaders before it looks at any field', () => {
  const verdict = judge({ ...request({ authorization: null }), hasDuplicateHeaders: true })
  assert.equal(verdict.answer.reason, 'DuplicateHeaders')
})

test('says since when a device token is dead, in milliseconds', () => {
  assert.equal(judge(request(to(DEAD))).answer.timestampMs, 17)
})

test('looks at payload after device token after topic after fields after provider token', () => {
  const faults: [reason: string, change: Change][] = [
    ['PayloadEmpty', {}],
    ['BadDeviceToken', to('xy')],
    ['MissingTopic', { 'apns-topic': null }],
    ['BadMessageId', { 'apns-id': 'x' }],
    ['MissingProviderToken', { authorization: null }],
    ['MethodNotAllowed', { ':method': 'GET' }],
  ]
  let change: Change = {}
  for (const [reason, fault] of faults) {
    change = { ...change, ...fault }
    assert.equal(judge(request(change, 0)).answer.reason, reason)
  }
})

test('takes the only topic of a certificate where the request names none', () => {
  const verdict = judge(request({ 'apns-topic': null, authorization: null }), [TOPIC])
  assert.equal(verdict.answer.status, 200)
  assert.equal(verdict.topic, TOPIC)
})

test('wants a topic over a certificate that lists several', () => {
  const verdict = judge(request({ 'apns-topic': null }), [TOPIC, `${TOPIC}.voip`])
  assert.equal(verdict.answer.reason, 'MissingTopic')
})

test('disallows topics that a certificate does not list, those of other push types too', () => {
  const other = judge(request({ 'apns-topic': 'com.example.other' }), [TOPIC])
  assert.equal(other.answer.reason, 'TopicDisallowed')
  const activity = {
    'apns-push-type': 'liveactivity',
    'apns-topic': `${TOPIC}.push-type.liveactivity`,
  }
  assert.equal(judge(request(activity), [TOPIC]).answer.reason, 'TopicDisallowed')
})

test('disallows location over a certificate even when it is listed', () => {
  const topic = `${TOPIC}.location-query`
  const location = request({ 'apns-push-type': 'location', 'apns-topic': topic })
  assert.equal(judge(location, [topic]).answer.reason, 'TopicDisallowed')
  assert.equal(judge(location).answer.status, 200)
})

test('binds a connection to a good provider token, whatever else is wrong', () => {
  const { binding, authenticated } = judge(request({ 'apns-topic': null }))
  assert.deepEqual(binding, {
    text: 'good',
    keyId: KEY.keyId,
    teamId: KEY.teamId,
    changedAtMs: NOW_MS,
  })
  assert.equal(authenticated, true)
  assert.equal(judge(request({ authorization: 'bearer bad' })).binding, null)
})
