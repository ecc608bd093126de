import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { deriveHeaders } from './headers.ts'
import type { JsonObject } from './payload.ts'

const TOPIC = 'com.example.app'

describe('deriveHeaders', () => {
  it('derives push type and priority from the payload', () => {
    const cases: [string, 10 | 5, JsonObject][] = [
      ['alert', 10, { aps: { alert: 'hi' } }],
      ['alert', 10, { aps: { badge: 1 } }],
      ['alert', 10, { aps: {} }],
      ['alert', 10, { news: 1 }],
      ['alert', 10, { aps: { 'content-available': 1, alert: 'hi' } }],
      ['alert', 10, { aps: { 'content-available': 0 } }],
      ['background', 5, { aps: { 'content-available': 1 } }],
      ['background', 5, { aps: { 'content-available': true }, sync: 1 }],
      ['liveactivity', 10, { aps: { event: 'update', 'content-state': {}, timestamp: 1 } }],
      ['widgets', 10, { aps: { 'content-changed': true } }],
      ['mdm', 10, { mdm: 'PushMagic' }],
    ]
    for (const [pushType, priority, payload] of cases)
      assert.deepEqual(
        deriveHeaders(TOPIC, payload),
        { pushType, priority },
        JSON.stringify(payload),
      )
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
      assert.equal(deriveHeaders(topic, payload).pushType, pushType)
  })
})
