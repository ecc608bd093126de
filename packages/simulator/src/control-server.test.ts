import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect as connectTcp } from 'node:net'
import { type TestContext, test } from 'node:test'
import { CONTROL_CALLS } from './control-calls.ts'
import type { Notification } from './notification-log.ts'
import type { Simulator } from './simulator.ts'
import type { IssuedCertificate } from './simulator-options.ts'
import {
  assertReason,
  DEVICE_TOKEN,
  signProviderToken,
  startSimulator,
  TestClient,
  TOPIC,
} from './test-client.ts'

interface Called {
  status: number
  type: string | null
  text: string
  json: unknown
}

async function start(t: TestContext): Promise<{
  simulator: Simulator
  call: (method: string, path: string, body?: unknown) => Promise<Called>
}> {
  const simulator = await startSimulator(t, { control: { host: '127.0.0.1', port: 0 } })
  const call = async (method: string, path: string, body?: unknown): Promise<Called> => {
    const sent = typeof body === 'string' || body === undefined ? body : JSON.stringify(body)
    const init = sent === undefined ? { method } : { method, body: sent }
    const response = await fetch(`${simulator.controlUrl}${path}`, init)
    const type = response.headers.get('content-type')
    const text = await response.text()
    const json: unknown = type === 'application/json' ? JSON.parse(text) : null
    return { status: response.status, type, text, json }
  }
  return { simulator, call }
}

async function pushOnce(t: TestContext, simulator: Simulator): Promise<void> {
  const providerToken = signProviderToken(simulator.issueKey())
  const client = TestClient.open(t, simulator, { providerToken })
  assert.equal((await client.push()).status, 200)
  assertReason(await client.push({ deviceToken: 'xy' }), 400, 'BadDeviceToken')
}

test('lists its calls', async (t) => {
  const { simulator, call } = await start(t)
  const { status, json } = await call('GET', '/')
  assert.equal(status, 200)
  const { url, calls } = json as { url: string; calls: object }
  assert.equal(url, simulator.url)
  assert.deepEqual(
    Object.keys(calls),
    CONTROL_CALLS.map(({ method, path }) => `${method} ${path}`),
  )
})

test('shows what was accepted with every header, with rejections on request, and forgets it', async (t) => {
  const { simulator, call } = await start(t)
  await pushOnce(t, simulator)
  const accepted = (await call('GET', '/notifications')).json as Notification[]
  assert.deepEqual(accepted, simulator.notifications())
  assert.equal(accepted[0]?.headers['apns-topic'], TOPIC)
  const all = (await call('GET', '/notifications?answers=all')).json as Notification[]
  assert.deepEqual(
    all.map(({ status, reason }) => [status, reason]),
    [
      [200, null],
      [400, 'BadDeviceToken'],
    ],
  )
  const cleared = await call('DELETE', '/notifications')
  assert.deepEqual([cleared.status, cleared.text], [204, ''])
  assert.deepEqual((await call('GET', '/notifications?answers=all')).json, [])
})

test('plays a script and clears it', async (t) => {
  const { simulator, call } = await start(t)
  const script = { rules: [{ do: { type: 'reject', reason: 'InternalServerError' } }] }
  assert.equal((await call('POST', '/script', script)).status, 204)
  const client = TestClient.open(t, simulator)
  assertReason(await client.push(), 500, 'InternalServerError')
  assert.equal((await call('DELETE', '/script')).status, 204)
  assertReason(await client.push(), 403, 'MissingProviderToken')
})

test('shows connections', async (t) => {
  const { simulator, call } = await start(t)
  await pushOnce(t, simulator)
  const { json } = await call('GET', '/connections')
  assert.deepEqual(json, simulator.connections())
  const [connection] = json as { identity: string; topics: string[]; streamsAnswered: number }[]
  assert.equal(connection?.identity, 'token')
  assert.deepEqual(connection.topics, [TOPIC])
  assert.equal(connection.streamsAnswered, 2)
})

test('shows a device and kills it', async (t) => {
  const { simulator, call } = await start(t)
  const unknown = await call('GET', `/devices/${DEVICE_TOKEN}`)
  assert.deepEqual(
    [unknown.status, unknown.json],
    [404, { error: 'nothing was pushed to this device token' }],
  )
  await pushOnce(t, simulator)
  const path = `/devices/${DEVICE_TOKEN.toUpperCase()}`
  const shown = (await call('GET', path)).json as { alert: unknown }
  assert.deepEqual(shown.alert, { title: null, subtitle: null, body: 'hello' })
  const death = { reason: 'ExpiredToken', timestampMs: 7 }
  assert.equal((await call('POST', `${path}/kill`, death)).status, 204)
  assert.deepEqual(simulator.device(DEVICE_TOKEN)?.dead, death)
  assert.equal((await call('POST', `${path}/kill`)).status, 204)
  assert.equal(simulator.device(DEVICE_TOKEN)?.dead?.reason, 'Unregistered')
})

test('hands out its authority and issues certificates', async (t) => {
  const { simulator, call } = await start(t)
  const ca = await call('GET', '/ca.pem')
  assert.deepEqual(
    [ca.text, ca.type],
    [simulator.authority.certificatePem, 'application/x-pem-file'],
  )
  const { json } = await call('POST', '/certificates', {
    topic: TOPIC,
    environments: ['production'],
    topics: [{ topic: `${TOPIC}.voip`, label: 'voip' }],
    notAfter: '2126-01-01T00:00:00Z',
  })
  const { pem, certificatePem, privateKeyPem } = json as IssuedCertificate
  assert.equal(pem, `${certificatePem}${privateKeyPem}`)
  const headers = { 'apns-topic': undefined, 'apns-push-type': 'voip' }
  const client = TestClient.open(t, simulator, { pem })
  assert.equal((await client.push({ headers })).status, 200)
})

test('issues keys', async (t) => {
  const { simulator, call } = await start(t)
  const asked = { teamId: 'TEAMTEAM01', keyId: 'KEYKEYKEY1', topics: [TOPIC] }
  const { json } = await call('POST', '/keys', asked)
  const issued = json as { key: string; keyId: string; teamId: string }
  assert.deepEqual([issued.teamId, issued.keyId], ['TEAMTEAM01', 'KEYKEYKEY1'])
  const client = TestClient.open(t, simulator, { providerToken: signProviderToken(issued) })
  assert.equal((await client.push()).status, 200)
  const other = { 'apns-topic': 'com.example.other' }
  assertReason(await client.push({ headers: other }), 400, 'TopicDisallowed')
  const second = (await call('POST', '/keys')).json as { keyId: string }
  assert.match(second.keyId, /^[A-Z0-9]{10}$/)
})

const BAD: [method: string, path: string, body: unknown, status: number, error: string][] = [
  ['GET', '/nothing', undefined, 404, 'there is nothing at /nothing; see GET /'],
  ['PUT', '/notifications', undefined, 405, '/notifications takes GET, DELETE'],
  ['GET', '/notifications?answers=some', undefined, 400, 'answers "some" is not known; known: all'],
  ['POST', '/script', '{', 400, 'the body is not JSON'],
  ['POST', '/script', 'x'.repeat(1024 * 1024 + 1), 413, 'the body is over 1048576 bytes'],
  [
    'POST',
    '/script',
    [{ do: { type: 'delay', ms: '5' } }],
    400,
    'rules[0].do.ms must be a whole number from 0 to 2147483647, not "5"',
  ],
  ['POST', '/certificates', {}, 400, 'topic is missing'],
  ['POST', '/certificates', [], 400, 'this must be an object, not []'],
  [
    'POST',
    '/certificates',
    { topic: 'x', environments: ['development'] },
    400,
    'environments[0] "development" is not known; known: sandbox, production',
  ],
  [
    'POST',
    '/certificates',
    { topic: 'x', notAfter: 'never' },
    400,
    'notAfter must be a date such as 2027-01-31T12:00:00Z',
  ],
  ['POST', '/keys', { topics: 'x' }, 400, 'topics must be a list, not "x"'],
  ['POST', '/keys', { key: 'x' }, 400, 'key is not a P-256 key in PEM, as in a .p8 file'],
  [
    'POST',
    '/devices/ab/kill',
    { reason: 'Gone' },
    400,
    'reason "Gone" is not known; known: Unregistered, ExpiredToken',
  ],
]

for (const [method, path, body, status, error] of BAD) {
  test(`answers ${status} to ${method} ${path}: ${error}`, async (t) => {
    const { call } = await start(t)
    const called = await call(method, path, body)
    assert.deepEqual([called.status, called.json], [status, { error }])
  })
}

test('outlives clients that speak nonsense or leave in the middle', async (t) => {
  const { simulator, call } = await start(t)
  const port = Number(new URL(String(simulator.controlUrl)).port)
  for (const text of [
    'nonsense\r\n\r\n',
    'POST /keys HTTP/1.1\r\nhost: x\r\ncontent-length: 9\r\n\r\n{',
  ]) {
    const socket = connectTcp(port)
    socket.on('error', () => undefined)
    socket.end(text)
    await once(socket, 'close')
  }
  assert.equal((await call('GET', '/')).status, 200)
})
