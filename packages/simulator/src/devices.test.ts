import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Delivery, Devices } from './devices.ts'

const DEVICE_TOKEN = 'ab'.repeat(32)

function deliver(devices: Devices, aps: object, change: Partial<Delivery> = {}): void {
  devices.deliver({
    deviceToken: DEVICE_TOKEN,
    topic: 'com.example.app',
    pushType: 'alert',
    collapseId: undefined,
    apnsId: 'id',
    receivedAtMs: 1,
    payload: { aps },
    ...change,
  })
}

test('shows an alert with its title, subtitle and body', () => {
  const devices = new Devices()
  deliver(devices, { alert: { title: 'T', subtitle: 'S', body: 'B' }, sound: 'default' })
  const screen = devices.screen(DEVICE_TOKEN)
  assert.deepEqual(screen?.alert, { title: 'T', subtitle: 'S', body: 'B' })
  assert.equal(screen.sound, 'default')
  assert.equal(screen.topic, 'com.example.app')
  assert.equal(screen.pushType, 'alert')
})

test('shows a plain text as the body, and a localised one as its key', () => {
  const devices = new Devices()
  deliver(devices, { alert: 'hello' })
  assert.equal(devices.screen(DEVICE_TOKEN)?.alert?.body, 'hello')
  deliver(devices, { alert: { 'loc-key': 'HELLO' } })
  assert.equal(devices.screen(DEVICE_TOKEN)?.alert?.body, 'HELLO')
})

test('keeps a badge until it is changed, and takes it away at 0', () => {
  const devices = new Devices()
  const badges = [{ badge: 3 }, { alert: 'no badge' }, { badge: 4 }, { badge: 0 }].map((aps) => {
    deliver(devices, aps)
    return devices.screen(DEVICE_TOKEN)?.badge
  })
  assert.deepEqual(badges, [3, 3, 4, null])
})

test('reads the sound of a critical alert, and falls silent without one', () => {
  const devices = new Devices()
  deliver(devices, { sound: { critical: 1, name: 'siren.caf', volume: 1 } })
  assert.equal(devices.screen(DEVICE_TOKEN)?.sound, 'siren.caf')
  deliver(devices, { alert: 'hush' })
  assert.equal(devices.screen(DEVICE_TOKEN)?.sound, null)
})

test('puts a notification in the place of the one with its collapse identifier', () => {
  const devices = new Devices()
  deliver(devices, { alert: '0:0' }, { collapseId: 'score' })
  deliver(devices, { alert: 'other' })
  deliver(devices, { alert: '1:0' }, { collapseId: 'score' })
  const bodies = devices.screen(DEVICE_TOKEN)?.notifications.map(({ body }) => body)
  assert.deepEqual(bodies, ['other', '1:0'])
})

test('shows the ten newest notifications', () => {
  const devices = new Devices()
  for (let n = 0; n < 25; n += 1) deliver(devices, { alert: String(n) })
  const bodies = devices.screen(DEVICE_TOKEN)?.notifications.map(({ body }) => body)
  assert.deepEqual(bodies, ['15', '16', '17', '18', '19', '20', '21', '22', '23', '24'])
})

test('shows nothing of a background push but its type', () => {
  const devices = new Devices()
  deliver(devices, { alert: 'before', badge: 1 })
  deliver(devices, { 'content-available': 1, badge: 9 }, { pushType: 'background' })
  const screen = devices.screen(DEVICE_TOKEN)
  assert.equal(screen?.pushType, 'background')
  assert.equal(screen.badge, 1)
  assert.equal(screen.notifications.length, 1)
})

test('stands payloads that make no sense', () => {
  const devices = new Devices()
  for (const payload of ['text', null, 7, [], { aps: 'x' }, { aps: { alert: 7, badge: 'x' } }]) {
    deliver(devices, {}, { payload })
  }
  assert.equal(devices.screen(DEVICE_TOKEN)?.alert, null)
})

test('ties a device token to the app it was first used with', () => {
  const devices = new Devices()
  deliver(devices, {}, { topic: 'com.example.app.voip' })
  deliver(devices, {}, { topic: 'com.example.other' })
  assert.equal(devices.bundleIdOf(DEVICE_TOKEN), 'com.example.app')
})

test('shows a killed device, even one that never got anything', () => {
  const devices = new Devices()
  assert.equal(devices.screen(DEVICE_TOKEN), undefined)
  devices.kill(DEVICE_TOKEN, { reason: 'ExpiredToken', timestampMs: 5 })
  assert.deepEqual(devices.screen(DEVICE_TOKEN)?.dead, { reason: 'ExpiredToken', timestampMs: 5 })
})

test('hands out copies', () => {
  const devices = new Devices()
  deliver(devices, { alert: 'hello' })
  devices.screen(DEVICE_TOKEN)?.notifications.pop()
  assert.equal(devices.screen(DEVICE_TOKEN)?.notifications.length, 1)
})
