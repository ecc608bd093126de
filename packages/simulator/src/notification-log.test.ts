import assert from 'node:assert/strict'
import { test } from 'node:test'
import { NotificationLog } from './notification-log.ts'

function record(log: NotificationLog, status = 200, payloadBytes = 2): void {
  log.record({
    receivedAtMs: 0,
    connection: 1,
    deviceToken: 'ab',
    headers: {},
    payload: {},
    payloadBytes,
    status,
    reason: status === 200 ? null : 'BadTopic',
    apnsId: 'id',
  })
}

test('lists what was accepted, and with it what was rejected, under one numbering', () => {
  const log = new NotificationLog()
  for (const status of [200, 400, 200]) record(log, status)
  assert.deepEqual(
    log.accepted().map(({ index }) => index),
    [0, 2],
  )
  assert.deepEqual(
    log.answers().map(({ status }) => status),
    [200, 400, 200],
  )
  assert.deepEqual([log.acceptedTotal, log.answersTotal], [2, 3])
})

test('keeps the newest hundred thousand and counts on', () => {
  const log = new NotificationLog()
  for (let n = 0; n < 100_005; n += 1) record(log)
  assert.equal(log.accepted().length, 100_000)
  assert.equal(log.accepted()[0]?.index, 5)
  assert.equal(log.acceptedTotal, 100_005)
})

test('wakes a waiter with the last accepted notification that it waits for', async () => {
  const log = new NotificationLog()
  const waiting = log.waitForAccepted(2)
  record(log)
  record(log, 400)
  record(log)
  record(log)
  assert.equal((await waiting).length, 2)
  assert.equal((await log.waitForAccepted(3)).length, 3)
})

test('counts for a waiter only what comes after a clearing', async () => {
  const log = new NotificationLog()
  record(log)
  log.clear()
  assert.deepEqual(log.answers(), [])
  const waiting = log.waitForAccepted(1)
  record(log, 200, 77)
  assert.deepEqual(
    (await waiting).map(({ payloadBytes }) => payloadBytes),
    [77],
  )
})

test('tells those who wait that it is closed, and harms nobody who does not', async () => {
  const log = new NotificationLog()
  const waiting = log.waitForAccepted(2)
  void log.waitForAccepted(3)
  record(log)
  log.close()
  const message = 'the simulator was closed with 1 of 2 awaited notifications'
  await assert.rejects(waiting, { code: 'CLOSED', message })
  await assert.rejects(log.waitForAccepted(2), { code: 'CLOSED' })
  assert.equal((await log.waitForAccepted(1)).length, 1)
})

test('wakes a waiter for answers by their number since the start, rejections and clearings or not', async () => {
  const log = new NotificationLog()
  record(log)
  log.clear()
  const waiting = log.waitForAnswered(2)
  record(log, 410)
  assert.deepEqual(
    (await waiting).map(({ index, status }) => [index, status]),
    [[1, 410]],
  )
  const never = log.waitForAnswered(3)
  log.close()
  await assert.rejects(never, { code: 'CLOSED', message: /2 of 3 awaited answers/ })
})
