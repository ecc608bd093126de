import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { factsOfReason, REASONS } from './reasons.ts'

describe('factsOfReason', () => {
  it('knows every reason by its own name', () => {
    for (const [reason, facts] of Object.entries(REASONS))
      assert.equal(factsOfReason(reason, facts.status), facts)
  })

  it('knows both spellings of a key of the other environment', () => {
    for (const reason of ['BadEnvironmentKeyIdInToken', 'BadEnvironmentKeyInToken'])
      assert.equal(factsOfReason(reason, 403).class, 'credential')
  })

  it('judges a reason it does not know by its status', () => {
    const classes = [400, 403, 410, 413, 429, 500, 503].map(
      (status) => factsOfReason('NewReason', status).class,
    )
    assert.deepEqual(classes, [
      'notification',
      'credential',
      'deviceToken',
      'notification',
      'throttled',
      'server',
      'server',
    ])
  })

  it('does not mistake an inherited name for a reason', () => {
    assert.equal(factsOfReason('constructor', 503).class, 'server')
  })
})
