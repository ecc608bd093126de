import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect as connectTcp } from 'node:net'
import { test } from 'node:test'
import { connect as connectTls } from 'node:tls'
import { Simulator } from './simulator.ts'
import {
  assertReason,
  closed,
  DEVICE_TOKEN,
  replyOf,
  signProviderToken,
  startSimulator,
  TestClient,
  TOPIC,
} from './test-client.ts'

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/

/** The stream limit in the next SETTINGS that a client gets. */
async function nextStreamLimit(client: TestClient): Promise<number | undefined> {
  const [settings] = (await once(client.session, 'remoteSettings')) as [
    { maxConcurrentStreams?: number },
  ]
  return settings.maxConcurrentStreams
}

test('takes a push with a provider token and answers 200 with an empty body', async (t) => {
  const simulator = await startSimulator(t)
  const providerToken = signProviderToken(simulator.issueKey())
  const reply = await TestClient.open(t, simulator, { providerToken }).push()
  assert.equal(reply.status, 200)
  assert.equal(reply.body, null)
  assert.match(String(reply.headers['apns-id']), UUID)
  assert.match(String(reply.headers['apns-unique-id']), UUID)
})

test('records an accepted push whole', async (t) => {
  const simulator = await startSimulator(t, { now: () => 1_800_000_000_000 })
  const providerToken = signProviderToken(simulator.issueKey(), { iat: 1_800_000_000 })
  const apnsId = '8fae82c7-4b4d-4bfc-ae53-69e7e1ea5cdd'
  await TestClient.open(t, simulator, { providerToken }).push({
    deviceToken: DEVICE_TOKEN.toUpperCase(),
    headers: { 'apns-id': apnsId, 'apns-priority': '5' },
    payload: '{"aps":{"alert":"Größe"}}',
  })
  assert.deepEqual(simulator.notifications(), [
    {
      index: 0,
      receivedAtMs: 1_800_000_000_000,
      connection: 1,
      deviceToken: DEVICE_TOKEN,
      headers: {
        ':method': 'POST',
        ':path': `/3/device/${DEVICE_TOKEN.toUpperCase()}`,
        ':scheme': 'https',
        ':authority': simulator.url.slice('https://'.length),
        'apns-topic': TOPIC,
        'apns-push-type': 'alert',
        authorization: `bearer ${providerToken}`,
        'apns-id': apnsId,
        'apns-priority': '5',
      },
      payload: { aps: { alert: 'Größe' } },
      payloadBytes: 27,
      status: 200,
      reason: null,
      apnsId,
    },
  ])
})

test('answers a rejection with reason, content type and apns-id, and records it apart', async (t) => {
  const simulator = await startSimulator(t)
  const reply = await TestClient.open(t, simulator).push({ payload: 'no JSON' })
  assertReason(reply, 403, 'MissingProviderToken')
  assert.equal(reply.headers['content-type'], 'application/json')
  assert.match(String(reply.headers['apns-id']), UUID)
  assert.deepEqual(simulator.notifications(), [])
  const [answer] = simulator.answers()
  assert.equal(answer?.reason, 'MissingProviderToken')
  assert.equal(answer.payload, 'no JSON')
})

test('echoes an apns-id, and makes one up for a bad one', async (t) => {
  const simulator = await startSimulator(t)
  const providerToken = signProviderToken(simulator.issueKey())
  const client = TestClient.open(t, simulator, { providerToken })
  const apnsId = '8FAE82C7-4B4D-4BFC-AE53-69E7E1EA5CDD'
  const rejected = await client.push({ headers: { 'apns-id': apnsId, 'apns-priority': '7' } })
  assertReason(rejected, 400, 'BadPriority')
  assert.equal(rejected.headers['apns-id'], apnsId)
  const bad = await client.push({ headers: { 'apns-id': 'mine' } })
  assertReason(bad, 400, 'BadMessageId')
  assert.match(String(bad.headers['apns-id']), UUID)
})

test('notices a repeated header that node:http2 would drop', async (t) => {
  const simulator = await startSimulator(t)
  const providerToken = signProviderToken(simulator.issueKey())
  const client = TestClient.open(t, simulator, { providerToken })
  const reply = await client.push({ headers: { 'x-other': ['a', 'b'] } })
  assertReason(reply, 400, 'DuplicateHeaders')
  assert.equal(simulator.answers()[0]?.headers['x-other'], 'a, b')
})

test('counts the bytes of a payload far too large, and keeps its start', async (t) => {
  const simulator = await startSimulator(t)
  const providerToken = signProviderToken(simulator.issueKey())
  const client = TestClient.open(t, simulator, { providerToken })
  assertReason(await client.push({ payload: 'x'.repeat(1_000_000) }), 413, 'PayloadTooLarge')
  assertReason(await client.push({ payload: '' }), 400, 'PayloadEmpty')
  const [large] = simulator.answers()
  assert.equal(large?.payloadBytes, 1_000_000)
  assert.equal(String(large.payload).length, 16_384)
})

test('allows one stream until a good provider token came, then a thousand', async (t) => {
  const simulator = await startSimulator(t)
  const client = TestClient.open(t, simulator)
  assert.equal(await nextStreamLimit(client), 1)
  await client.push()
  await client.push({ headers: { authorization: 'bearer nonsense' } })
  assert.equal(simulator.connections()[0]?.streamLimit, 1)
  const raised = nextStreamLimit(client)
  const authorization = `bearer ${signProviderToken(simulator.issueKey())}`
  assertReason(
    await client.push({ headers: { authorization, 'apns-topic': undefined } }),
    400,
    'MissingTopic',
  )
  assert.equal(await raised, 1000)
})

test('refuses streams over the limit that a client sends before it has read SETTINGS', async (t) => {
  const simulator = await startSimulator(t)
  const providerToken = signProviderToken(simulator.issueKey())
  const client = TestClient.open(t, simulator, { providerToken })
  const results = await Promise.allSettled(Array.from({ length: 5 }, () => client.push()))
  assert.deepEqual(
    results.map(({ status }) => status),
    ['fulfilled', 'rejected', 'rejected', 'rejected', 'rejected'],
  )
  assert.match(String((results[1] as PromiseRejectedResult).reason), /NGHTTP2_REFUSED_STREAM/)
  assert.equal(simulator.notifications().length, 1)
})

test('allows a connection with a client certificate all streams at once', async (t) => {
  const simulator = await startSimulator(t, { streamLimit: 7 })
  const { pem } = simulator.issueCertificate({ topic: TOPIC, environments: ['production'] })
  const client = TestClient.open(t, simulator, { pem })
  assert.equal(await nextStreamLimit(client), 7)
  const reply = await client.push({
    headers: { 'apns-topic': undefined, authorization: 'bearer nonsense' },
  })
  assert.equal(reply.status, 200)
  const [connection] = simulator.connections()
  assert.equal(connection?.identity, 'certificate')
  assert.deepEqual(connection.topics, [TOPIC])
})

test('wants a topic over a universal certificate, which lists three', async (t) => {
  const simulator = await startSimulator(t)
  const { pem } = simulator.issueCertificate({ topic: TOPIC })
  const client = TestClient.open(t, simulator, { pem })
  assertReason(await client.push({ headers: { 'apns-topic': undefined } }), 400, 'MissingTopic')
  const voip = { 'apns-topic': `${TOPIC}.voip`, 'apns-push-type': 'voip' }
  assert.equal((await client.push({ headers: voip })).status, 200)
  const other = await client.push({ headers: { 'apns-topic': 'com.example.other' } })
  assertReason(other, 400, 'TopicDisallowed')
})

test('answers BadCertificate behind a certificate of another authority or out of date', async (t) => {
  const simulator = await startSimulator(t)
  const stranger = await startSimulator(t)
  const foreign = stranger.issueCertificate({ topic: TOPIC })
  const late = simulator.issueCertificate({ topic: TOPIC, notAfter: new Date(Date.now() - 1000) })
  for (const { pem } of [foreign, late]) {
    const client = TestClient.open(t, simulator, { pem })
    assertReason(await client.push(), 403, 'BadCertificate')
  }
})

test('compares the dates of a certificate with its own clock', async (t) => {
  let nowMs = Date.now()
  const simulator = await startSimulator(t, { now: () => nowMs })
  const { pem } = simulator.issueCertificate({ topic: TOPIC })
  const client = TestClient.open(t, simulator, { pem })
  assert.equal((await client.push()).status, 200)
  nowMs += 366 * 86_400_000
  const reply = await client.push()
  assertReason(reply, 403, 'BadCertificate')
  assert.equal(reply.headers['date'], new Date(nowMs).toUTCString())
})

test('refuses certificates and keys of the other environment', async (t) => {
  const simulator = await startSimulator(t, { environment: 'production' })
  const { pem } = simulator.issueCertificate({ topic: TOPIC, environments: ['sandbox'] })
  const byCertificate = await TestClient.open(t, simulator, { pem }).push()
  assertReason(byCertificate, 403, 'BadCertificateEnvironment')
  const providerToken = signProviderToken(simulator.issueKey({ environments: ['sandbox'] }))
  const byToken = await TestClient.open(t, simulator, { providerToken }).push()
  assertReason(byToken, 403, 'BadEnvironmentKeyInToken')
  assert.equal(byToken.headers['apns-unique-id'], undefined)
})

test('knows a client certificate again when its TLS session is resumed', async (t) => {
  const simulator = await startSimulator(t)
  const { pem } = simulator.issueCertificate({ topic: TOPIC })
  const tls = {
    port: Number(new URL(simulator.url).port),
    ca: simulator.authority.certificatePem,
    cert: pem,
    key: pem,
    ALPNProtocols: ['h2'],
    maxVersion: 'TLSv1.2' as const,
  }
  const first = connectTls(tls)
  const [session] = (await once(first, 'session')) as [Buffer]
  first.destroy()
  const second = connectTls({ ...tls, session })
  await once(second, 'data')
  assert.equal(second.isSessionReused(), true)
  second.destroy()
  assert.deepEqual(
    simulator.connections().map(({ identity }) => identity),
    ['certificate', 'certificate'],
  )
})

test('keeps connections of one simulator apart', async (t) => {
  const simulator = await startSimulator(t)
  const [one, other] = [simulator.issueKey(), simulator.issueKey()]
  const first = TestClient.open(t, simulator, { providerToken: signProviderToken(one) })
  const second = TestClient.open(t, simulator, { providerToken: signProviderToken(other) })
  assert.equal((await first.push()).status, 200)
  assert.equal((await second.push()).status, 200)
  const authorization = `bearer ${signProviderToken(other)}`
  assertReason(await first.push({ headers: { authorization } }), 403, 'InvalidProviderToken')
  assert.deepEqual(
    simulator.connections().map(({ id, teamId }) => [id, teamId]),
    [
      [1, one.teamId],
      [2, other.teamId],
    ],
  )
})

test('outlives clients that die in the middle of anything', async (t) => {
  const simulator = await startSimulator(t)
  const providerToken = signProviderToken(simulator.issueKey())
  simulator.play({ match: { topic: 'com.example.unanswered' }, do: { type: 'noAnswer' } })
  const port = Number(new URL(simulator.url).port)
  const mute = connectTcp(port)
  await once(mute, 'connect')
  mute.destroy()
  const garbled = connectTcp(port)
  garbled.on('error', () => undefined)
  garbled.end('GET / HTTP/1.1\r\n\r\n')
  await once(garbled, 'close')

  const client = TestClient.open(t, simulator, { providerToken })
  await client.push()
  client.send({ headers: { 'apns-topic': 'com.example.unanswered' } })
  const reset = client.send({ headers: { 'apns-topic': 'com.example.unanswered' } })
  reset.close(8)
  await once(reset, 'close')
  client.session.destroy()
  await closed(client)

  const next = TestClient.open(t, simulator, { providerToken })
  assert.equal((await next.push()).status, 200)
})

test('turns away a client that speaks no HTTP/2', async (t) => {
  const simulator = await startSimulator(t)
  const port = Number(new URL(simulator.url).port)
  const ca = simulator.authority.certificatePem
  const socket = connectTls({ port, ca, ALPNProtocols: ['http/1.1'] })
  const [error] = (await once(socket, 'error')) as [Error]
  assert.match(error.message, /no application protocol/i)
})

test('takes a thousand pushes at once over one connection', async (t) => {
  const simulator = await startSimulator(t)
  const { pem } = simulator.issueCertificate({ topic: TOPIC, environments: ['production'] })
  const client = TestClient.open(t, simulator, { pem })
  await once(client.session, 'remoteSettings')
  const pushes = Array.from({ length: 1000 }, (_, n) =>
    client.push({
      deviceToken: n.toString(16).padStart(64, '0'),
      payload: `{"aps":{"alert":"${'x'.repeat(4000)}"}}`,
    }),
  )
  const all = await simulator.waitForNotifications(1000)
  assert.equal(new Set(all.map(({ deviceToken }) => deviceToken)).size, 1000)
  assert.ok((await Promise.all(pushes)).every(({ status }) => status === 200))
})

test('takes certificates issued before a restart with the same authority', async (t) => {
  const before = await Simulator.start({ control: null })
  const { certificatePem, privateKeyPem } = before.authority
  const { pem } = before.issueCertificate({ topic: TOPIC })
  await before.close()
  const simulator = await startSimulator(t, { authority: { certificatePem, privateKeyPem } })
  const client = TestClient.open(t, simulator, { pem })
  assert.equal((await replyOf(client.send())).status, 200)
})
