import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect as connectTcp, createServer } from 'node:net'
import { test } from 'node:test'
import { Simulator } from './simulator.ts'
import {
  assertReason,
  closed,
  DEVICE_TOKEN,
  signProviderToken,
  startSimulator,
  TestClient,
} from './test-client.ts'

test('runs without a control server when told so', async (t) => {
  const simulator = await startSimulator(t, { control: null })
  assert.equal(simulator.controlUrl, null)
  const other = await startSimulator(t, { control: { host: '127.0.0.1', port: 0 } })
  assert.match(String(other.controlUrl), /^http:\/\/127\.0\.0\.1:\d+$/)
})

test('names an address that can be reached, wherever it listens', async (t) => {
  for (const [host, reached] of [
    ['localhost', 'localhost'],
    ['0.0.0.0', '127.0.0.1'],
  ] as const) {
    const simulator = await startSimulator(t, { listen: { host, port: 0 } })
    assert.equal(new URL(simulator.url).hostname, reached)
    assertReason(await TestClient.open(t, simulator).push(), 403, 'MissingProviderToken')
  }
})

test('rejects a start on an address that is taken, and leaves nothing running', async (t) => {
  const taken = createServer()
  t.after(() => taken.close())
  taken.listen(0, '127.0.0.1')
  await once(taken, 'listening')
  const at = { host: '127.0.0.1', port: (taken.address() as { port: number }).port }
  await assert.rejects(Simulator.start({ listen: at }), { code: 'EADDRINUSE' })
  await assert.rejects(Simulator.start({ control: at }), { code: 'EADDRINUSE' })
})

test('wakes a waiter as soon as enough was accepted', async (t) => {
  const simulator = await startSimulator(t)
  const client = TestClient.open(t, simulator, {
    providerToken: signProviderToken(simulator.issueKey()),
  })
  const waiting = simulator.waitForNotifications(2)
  await client.push()
  await client.push({ deviceToken: 'xy' })
  await client.push()
  const notifications = await waiting
  assert.deepEqual(
    notifications.map(({ index }) => index),
    [0, 2],
  )
  assert.deepEqual(simulator.totals, { accepted: 2, answers: 3 })
})

test('shows what a device shows', async (t) => {
  const simulator = await startSimulator(t)
  const client = TestClient.open(t, simulator, {
    providerToken: signProviderToken(simulator.issueKey()),
  })
  const payload = '{"aps":{"alert":{"title":"Shop","body":"Parcel shipped"},"badge":2}}'
  await client.push({ deviceToken: DEVICE_TOKEN.toUpperCase(), payload })
  const screen = simulator.device(DEVICE_TOKEN)
  assert.deepEqual(screen?.alert, { title: 'Shop', subtitle: null, body: 'Parcel shipped' })
  assert.equal(screen.badge, 2)
  assert.equal(simulator.device('ab'.repeat(32)), undefined)
})

test('answers 410 for a killed device, and for no other', async (t) => {
  const simulator = await startSimulator(t, { now: () => 1_800_000_000_000 })
  const client = TestClient.open(t, simulator, {
    providerToken: signProviderToken(simulator.issueKey(), { iat: 1_800_000_000 }),
  })
  simulator.killDevice(DEVICE_TOKEN.toUpperCase())
  const dead = await client.push()
  assert.deepEqual(dead.body, { reason: 'Unregistered', timestamp: 1_800_000_000_000 })
  simulator.killDevice(DEVICE_TOKEN, { reason: 'ExpiredToken', timestampMs: 5 })
  assert.deepEqual((await client.push()).body, { reason: 'ExpiredToken', timestamp: 5 })
  assert.equal((await client.push({ deviceToken: 'ab'.repeat(32) })).status, 200)
})

test('ties a device token to the app that used it first', async (t) => {
  const simulator = await startSimulator(t)
  const client = TestClient.open(t, simulator, {
    providerToken: signProviderToken(simulator.issueKey()),
  })
  const rejected = { 'apns-topic': 'com.example.other', 'apns-priority': '7' }
  assertReason(await client.push({ headers: rejected }), 400, 'BadPriority')
  assert.equal((await client.push()).status, 200)
  const voip = { 'apns-topic': 'com.example.app.voip', 'apns-push-type': 'voip' }
  assert.equal((await client.push({ headers: voip })).status, 200)
  const other = await client.push({ headers: { 'apns-topic': 'com.example.other' } })
  assertReason(other, 400, 'DeviceTokenNotForTopic')
})

test('counts the changes of a provider token on each connection by its own clock', async (t) => {
  let nowMs = 1_800_000_000_000
  const simulator = await startSimulator(t, { now: () => nowMs })
  const key = simulator.issueKey()
  const client = TestClient.open(t, simulator, {})
  const pushAt = (ms: number) => {
    nowMs = 1_800_000_000_000 + ms
    const authorization = `bearer ${signProviderToken(key, { iat: nowMs / 1000 })}`
    return client.push({ headers: { authorization } })
  }
  assert.equal((await pushAt(0)).status, 200)
  assertReason(await pushAt(60_000), 429, 'TooManyProviderTokenUpdates')
  assert.equal((await pushAt(1_200_000)).status, 200)
  assertReason(await pushAt(1_260_000), 429, 'TooManyProviderTokenUpdates')
})

test('closes under way: connections end, waiters hear of it, closing again does no harm', async (t) => {
  const simulator = await Simulator.start()
  simulator.play({ do: { type: 'delay', ms: 60_000 } })
  const client = TestClient.open(t, simulator)
  const unanswered = client.push()
  await once(client.session, 'remoteSettings')
  const waiting = simulator.waitForNotifications(1)
  await Promise.all([simulator.close(), simulator.close()])
  await assert.rejects(waiting, { code: 'CLOSED' })
  await assert.rejects(unanswered)
  await closed(client)
  await simulator.close()
  assert.ok(simulator.connections().every((connection) => connection.closed))
})

test('closes on clients that have not finished their handshake', async (t) => {
  const simulator = await Simulator.start({ control: null })
  const mute = connectTcp(Number(new URL(simulator.url).port))
  await once(mute, 'connect')
  // The server has taken the mute one by now: it takes them in order.
  await TestClient.open(t, simulator).push()
  const [closing] = await Promise.all([simulator.close(), once(mute, 'close')])
  assert.equal(closing, undefined)
})
