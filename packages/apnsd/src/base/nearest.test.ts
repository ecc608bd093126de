import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { nearestName } from './nearest.ts'

describe('nearestName', () => {
  const known = ['listen', 'data', 'apns.sandbox', 'logLevel']

  it('finds what was most likely meant', () => {
    assert.equal(nearestName('lisen', known), 'listen')
    assert.equal(nearestName('loglevel', known), 'logLevel')
    assert.equal(nearestName('apns.sandbx', known), 'apns.sandbox')
  })

  it('finds nothing where nothing is near', () => {
    assert.equal(nearestName('maxConnections', known), undefined)
    assert.equal(nearestName('x', known), undefined)
  })
})
