import assert from 'node:assert/strict'
import { test } from 'node:test'
import { bundleIdOfTopic, PUSH_TYPES, ruleOfTopic, topicFitsPushType } from './push-types.ts'

test('cuts the ending of every push type off its topic', () => {
  for (const { topicSuffix } of PUSH_TYPES.values()) {
    assert.equal(bundleIdOfTopic(`com.example.app${topicSuffix}`), 'com.example.app')
  }
})

test('fits every push type to its own topics only', () => {
  for (const [pushType, { topicSuffix }] of PUSH_TYPES) {
    if (pushType === 'mdm') continue
    for (const other of PUSH_TYPES.values()) {
      const fits = topicFitsPushType(`com.example.app${other.topicSuffix}`, pushType)
      assert.equal(fits, other.topicSuffix === topicSuffix, `${pushType} on ${other.topicSuffix}`)
    }
  }
})

test('fits any topic to no push type, and mdm to topics of device management', () => {
  assert.equal(topicFitsPushType('com.example.app.voip', undefined), true)
  assert.equal(topicFitsPushType('com.apple.mgmt.External.1', 'mdm'), true)
  assert.equal(topicFitsPushType('com.example.app', 'mdm'), false)
})

test('gives voip more room', () => {
  assert.equal(ruleOfTopic('com.example.app.voip').maxPayloadBytes, 5120)
  assert.equal(ruleOfTopic('com.example.app').maxPayloadBytes, 4096)
})
