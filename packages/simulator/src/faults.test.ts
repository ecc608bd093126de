import assert from 'node:assert/strict'
import { once } from 'node:events'
import { type TestContext, test } from 'node:test'
import type { Fault, Rule } from './script.ts'
import type { Simulator } from './simulator.ts'
import {
  assertReason,
  closed,
  signProviderToken,
  startSimulator,
  TestClient,
} from './test-client.ts'

const FAULTY = 'ff'.repeat(32)
const REFUSED = { code: 'ERR_HTTP2_STREAM_ERROR', message: /NGHTTP2_REFUSED_STREAM/ }

interface GoAwaySeen {
  errorCode: number
  lastStreamId: number
  debugData: string | null
}

/** A client that has pushed once, so that it may open many streams, and the faults for its next push. */
async function begin(
  t: TestContext,
  fault: Fault | null = null,
): Promise<{ simulator: Simulator; client: TestClient }> {
  const simulator = await startSimulator(t)
  const providerToken = signProviderToken(simulator.issueKey())
  const client = TestClient.open(t, simulator, { providerToken })
  assert.equal((await client.push()).status, 200)
  simulator.clearNotifications()
  if (fault !== null) simulator.play(rule(fault))
  return { simulator, client }
}

function rule(fault: Fault): Rule {
  return { match: { deviceToken: FAULTY }, do: fault }
}

/** Gathers every GOAWAY that a client gets. */
function goAways(client: TestClient): GoAwaySeen[] {
  const seen: GoAwaySeen[] = []
  client.session.on('goaway', (errorCode: number, lastStreamId: number, data?: Buffer) =>
    seen.push({ errorCode, lastStreamId, debugData: data?.toString() ?? null }),
  )
  return seen
}

test('rejects with a reason, its status and the time of a death', async (t) => {
  const { simulator, client } = await begin(t)
  simulator.play([
    { times: 1, do: { type: 'reject', reason: 'Unregistered', timestampMs: 1234 } },
    { times: 1, do: { type: 'reject', reason: 'TooManyRequests', retryAfterS: 7 } },
    { times: 1, do: { type: 'reject', reason: 'Teapot', status: 418 } },
  ])
  const dead = await client.push()
  assert.deepEqual([dead.status, dead.body], [410, { reason: 'Unregistered', timestamp: 1234 }])
  const busy = await client.push()
  assert.deepEqual([busy.status, busy.headers['retry-after']], [429, '7'])
  assertReason(await client.push(), 418, 'Teapot')
  assert.equal((await client.push()).status, 200)
  assert.deepEqual(
    simulator.answers().map(({ status }) => status),
    [410, 429, 418, 200],
  )
})

test('dates a death that the script does not date', async (t) => {
  const simulator = await startSimulator(t, { now: () => 99_000 })
  simulator.play({ do: { type: 'reject', reason: 'ExpiredToken' } })
  const reply = await TestClient.open(t, simulator).push()
  assert.deepEqual(reply.body, { reason: 'ExpiredToken', timestamp: 99_000 })
})

test('opens the stream limit for a good provider token unless the script says 403', async (t) => {
  const simulator = await startSimulator(t)
  const providerToken = signProviderToken(simulator.issueKey())
  const client = TestClient.open(t, simulator, { providerToken })
  simulator.play({ do: { type: 'reject', reason: 'ExpiredProviderToken' } })
  await client.push()
  assert.equal(simulator.connections()[0]?.streamLimit, 1)
  simulator.play({ do: { type: 'reject', reason: 'BadDeviceToken' } })
  await client.push()
  assert.equal(simulator.connections()[0]?.streamLimit, 1000)
})

test('refuses a stream and keeps the connection', async (t) => {
  const { simulator, client } = await begin(t, { type: 'refuseStream' })
  await assert.rejects(client.push({ deviceToken: FAULTY }), REFUSED)
  assert.equal((await client.push()).status, 200)
  assert.equal(simulator.answers().length, 1)
})

test('leaves a push without answer, and others on the same connection alone', async (t) => {
  const { simulator, client } = await begin(t, { type: 'noAnswer' })
  const stream = client.send({ deviceToken: FAULTY })
  assert.equal((await client.push()).status, 200)
  assert.equal(stream.closed, false)
  assert.equal(simulator.connections()[0]?.openStreams, 1)
  assert.equal(simulator.answers().length, 1)
})

test('answers a delayed push after one that came later', async (t) => {
  const { simulator, client } = await begin(t, { type: 'delay', ms: 20 })
  const delayed = client.push({ deviceToken: FAULTY })
  assert.equal((await client.push()).status, 200)
  assert.equal((await delayed).status, 200)
  assert.equal(simulator.notifications().at(-1)?.deviceToken, FAULTY)
})

test('gives up a delayed push whose client is gone', async (t) => {
  const { simulator, client } = await begin(t, { type: 'delay', ms: 2 ** 31 - 1 })
  const stream = client.send({ deviceToken: FAULTY })
  await client.push()
  stream.close()
  await once(stream, 'close')
  await client.push()
  assert.equal(simulator.connections()[0]?.openStreams, 0)
})

test('sends GOAWAY that counts this stream, answers it, and closes', async (t) => {
  const { simulator, client } = await begin(t, {
    type: 'goaway',
    reason: 'Shutdown',
    lastStream: 'this',
  })
  const seen = goAways(client)
  const reply = await client.push({ deviceToken: FAULTY })
  assert.equal(reply.status, 200)
  await closed(client)
  assert.deepEqual(seen, [{ errorCode: 0, lastStreamId: 3, debugData: '{"reason":"Shutdown"}' }])
  assert.equal(simulator.notifications().length, 1)
})

test('sends GOAWAY that counts the stream before: it is answered, later ones are refused', async (t) => {
  const { simulator, client } = await begin(t)
  simulator.play([
    { match: { deviceToken: 'aa'.repeat(32) }, do: { type: 'delay', ms: 20 } },
    rule({ type: 'goaway', lastStream: 'previous' }),
  ])
  const seen = goAways(client)
  const results = await Promise.allSettled([
    client.push({ deviceToken: 'aa'.repeat(32) }),
    client.push({ deviceToken: FAULTY }),
    client.push(),
  ])
  assert.deepEqual(
    results.map(({ status }) => status),
    ['fulfilled', 'rejected', 'rejected'],
  )
  await closed(client)
  assert.deepEqual(seen, [{ errorCode: 0, lastStreamId: 3, debugData: null }])
  assert.deepEqual(
    simulator.notifications().map(({ deviceToken }) => deviceToken),
    ['aa'.repeat(32)],
  )
})

test('sends GOAWAY that counts no stream at all', async (t) => {
  const simulator = await startSimulator(t)
  const { pem } = simulator.issueCertificate({ topic: 'com.example.app' })
  const client = TestClient.open(t, simulator, { pem })
  simulator.play({
    do: { type: 'goaway', code: 2, reason: 'BadCertificate', lastStream: 'previous' },
  })
  const seen = goAways(client)
  const results = await Promise.allSettled([client.push(), client.push()])
  assert.ok(results.every(({ status }) => status === 'rejected'))
  await closed(client)
  assert.deepEqual(seen, [
    { errorCode: 2, lastStreamId: 0, debugData: '{"reason":"BadCertificate"}' },
  ])
  assert.deepEqual(simulator.answers(), [])
})

test('drains after GOAWAY until the last stream that counts is answered', async (t) => {
  const { simulator, client } = await begin(t)
  simulator.play([
    { match: { deviceToken: 'aa'.repeat(32) }, do: { type: 'noAnswer' } },
    rule({ type: 'goaway', lastStream: 'this' }),
  ])
  const unanswered = client.send({ deviceToken: 'aa'.repeat(32) })
  assert.equal((await client.push({ deviceToken: FAULTY })).status, 200)
  assert.equal(simulator.connections()[0]?.state, 'draining')
  unanswered.close()
  await closed(client)
})

test('changes the stream limit just before the answer', async (t) => {
  const { client } = await begin(t, { type: 'streamLimit', limit: 3 })
  const order: string[] = []
  client.session.on('remoteSettings', ({ maxConcurrentStreams }) =>
    order.push(`limit ${maxConcurrentStreams}`),
  )
  const reply = await client.push({ deviceToken: FAULTY })
  order.push(`status ${reply.status}`)
  assert.deepEqual(order, ['limit 3', 'status 200'])
})

test('cuts a connection without a word', async (t) => {
  const { simulator, client } = await begin(t, { type: 'closeConnection' })
  const seen = goAways(client)
  await assert.rejects(client.push({ deviceToken: FAULTY }))
  await closed(client)
  assert.deepEqual(seen, [])
  assert.deepEqual(simulator.answers(), [])
})
