import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { PUSH_TYPES, type PushType, topicFor } from './push-types.ts'
import { formatRequestFields } from './request.ts'

const notification = {
  deviceToken: 'ab'.repeat(32),
  payload: '{}',
  topic: 'com.example.app',
  pushType: 'alert',
  apnsId: '123e4567-e89b-42d3-a456-426614174000',
} as const

describe('formatRequestFields', () => {
  it('writes what Apple asks for, and nothing that was not decided', () => {
    assert.deepEqual(formatRequestFields(notification, 'api.push.apple.com', 'bearer JWT'), {
      ':method': 'POST',
      ':scheme': 'https',
      ':authority': 'api.push.apple.com',
      ':path': `/3/device/${'ab'.repeat(32)}`,
      authorization: 'bearer JWT',
      'apns-topic': 'com.example.app',
      'apns-push-type': 'alert',
      'apns-id': '123e4567-e89b-42d3-a456-426614174000',
    })
  })

  it('writes what was decided, an expiration of 0 too, and no authorization beside a certificate', () => {
    const all = { ...notification, priority: 5, expirationEpochS: 0, collapseId: 'c' } as const
    const fields = formatRequestFields(all, 'h', null)
    assert.equal(fields['apns-priority'], '5')
    assert.equal(fields['apns-expiration'], '0')
    assert.equal(fields['apns-collapse-id'], 'c')
    assert.equal('authorization' in fields, false)
  })
})

describe('topicFor', () => {
  it('adds the suffix of the push type once', () => {
    for (const type of Object.keys(PUSH_TYPES) as PushType[]) {
      const topic = topicFor(type, 'com.example.app')
      assert.equal(topic, `com.example.app${PUSH_TYPES[type].topicSuffix}`)
      assert.equal(topicFor(type, topic), topic)
    }
  })
})
