import assert from 'node:assert/strict'
import { test } from 'node:test'
import { decodeTopics, decodeVoipTopics, encodeMark, encodeTopics } from './apple-extensions.ts'

const EXAMPLE = '3024 0c06636f6d2e6578 3005 0c03617070 0c0b636f6d2e65782e766f6970 3006 0c04766f6970'

test('encodes topics as the reference shows them, and decodes them', () => {
  const der = encodeTopics([
    { topic: 'com.ex', label: 'app' },
    { topic: 'com.ex.voip', label: 'voip' },
  ])
  assert.equal(Buffer.from(der, 'latin1').toString('hex'), EXAMPLE.replaceAll(' ', ''))
  assert.deepEqual(decodeTopics(der), ['com.ex', 'com.ex.voip'])
})

test('encodes a mark as NULL', () => {
  assert.equal(Buffer.from(encodeMark(), 'latin1').toString('hex'), '0500')
})

test('decodes the list of a VoIP certificate', () => {
  assert.deepEqual(decodeVoipTopics('\x0c\x13com.ex.voip, com.ex'), ['com.ex.voip', 'com.ex'])
})
