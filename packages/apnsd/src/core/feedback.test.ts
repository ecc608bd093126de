import assert from 'node:assert/strict'
import { test } from 'node:test'
import { REASONS } from '@apnsd/apns'
import { verdictOn } from './feedback.ts'

test('a device token is dead by 410 alone, whatever the reason', () => {
  for (const reason of ['Unregistered', 'ExpiredToken', 'SomethingNew'])
    assert.equal(verdictOn({ status: 410, reason }), 'dead')
  assert.equal(verdictOn({ status: 400, reason: 'Unregistered' }), null)
})

test('it is suspect where Apple’s reason may as well mean the wrong environment or the wrong app', () => {
  const suspects = Object.keys(REASONS).filter(
    (reason) => verdictOn({ status: 400, reason }) === 'suspect',
  )
  assert.deepEqual(suspects.sort(), ['BadDeviceToken', 'DeviceTokenNotForTopic'])
  assert.equal(verdictOn({ status: 403, reason: 'BadDeviceToken' }), null)
  assert.equal(verdictOn({ reason: 'BadDeviceToken' }), null)
})
