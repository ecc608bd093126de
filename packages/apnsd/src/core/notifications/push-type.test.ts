import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { JsonObject } from './payload.ts'
import { derivePushType } from './push-type.ts'

const TOPIC = 'com.example.app'

describe('derivePushType', () => {
  it('derives the push type from the payload', () => {
    const cases: [string, JsonObject][] = [
      ['alert', { aps: { alert: 'hi' } }],
      ['alert', { aps: { badge: 1 } }],
      ['alert', { aps: {} }],
      ['alert', { news: 1 }],
      ['alert', { aps: { 'content-available': 1, alert: 'hi' } }],
      ['alert', { aps: { 'content-available': 0 } }],
      ['background', { aps: { 'content-available': 1 } }],
      ['background', { aps: { 'content-available': true }, sync: 1 }],
      ['liveactivity', { aps: { event: 'update', 'content-state': {}, timestamp: 1 } }],
      ['widgets', { aps: { 'content-changed': true } }],
      ['mdm', { mdm: 'PushMagic' }],
    ]
    for (const [pushType, payload] of cases)
      assert.equal(derivePushType(TOPIC, payload), pushType, JSON.stringify(payload))
  })

  it('goes by the topic where that can only mean one type', () => {
    const payload = { aps: { alert: 'hi' } }
    for (const [topic, pushType] of [
      ['com.example.app.voip', 'voip'],
      ['com.example.app.complication', 'complication'],
      ['com.example.app.push-type.liveactivity', 'liveactivity'],
      ['com.example.app.voip-ptt', 'pushtotalk'],
      ['com.apple.mgmt.External.1234', 'mdm'],
    ] as const)
      assert.equal(derivePushType(topic, payload), pushType)
  })
})
