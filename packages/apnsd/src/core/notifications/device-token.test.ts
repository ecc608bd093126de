import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { parseDeviceToken } from './device-token.ts'

const HEX = '0f1e2d3c'.repeat(8)

describe('parseDeviceToken', () => {
  it('takes hex in any case, blanks between bytes and angle brackets', () => {
    const written = [
      HEX,
      HEX.toUpperCase(),
      `<${HEX.replace(/.{8}/g, '$& ').trim()}>`,
      ` ${HEX.replace(/../g, '$& ')}\n`,
    ]
    for (const text of written) assert.deepEqual(parseDeviceToken(text), { deviceToken: HEX })
  })

  it('assumes no size but a generous bound', () => {
    assert.deepEqual(parseDeviceToken('ab'.repeat(100)), { deviceToken: 'ab'.repeat(100) })
    assert.deepEqual(parseDeviceToken('ab'), { deviceToken: 'ab' })
    assert.ok('problem' in parseDeviceToken('ab'.repeat(101)))
  })

  it('says what is wrong without repeating the device token', () => {
    for (const [text, problem] of [
      ['', 'is empty'],
      ['  ', 'is empty'],
      ['zz', 'has a character that is no hex digit'],
      ['abc', 'has an odd number of hex digits (3)'],
    ] as const)
      assert.deepEqual(parseDeviceToken(text), { problem })
  })
})
