import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { parseAnswer } from './response.ts'

const ID = '123e4567-e89b-42d3-a456-426614174000'

describe('parseAnswer', () => {
  it('reads an acceptance', () => {
    assert.deepEqual(
      parseAnswer({ status: 200, fields: { 'apns-unique-id': 'u' }, body: '' }, ID),
      {
        type: 'accepted',
        apnsId: ID,
        uniqueId: 'u',
      },
    )
  })

  it('reads a rejection with Apple’s timestamp, in ms', () => {
    const body = '{"reason":"Unregistered","timestamp":1700000000123}'
    assert.deepEqual(parseAnswer({ status: 410, fields: { 'retry-after': '7' }, body }, ID), {
      type: 'rejected',
      apnsId: ID,
      status: 410,
      reason: 'Unregistered',
      timestampMs: 1_700_000_000_123,
      retryAfterS: 7,
    })
  })

  it('takes a rejection whose body says nothing readable as one without a reason', () => {
    for (const body of [
      '',
      'null',
      '[]',
      '{',
      '"x"',
      '{"reason":5,"timestamp":"soon"}',
      '<html>',
    ]) {
      const answer = parseAnswer({ status: 503, fields: { 'retry-after': 'soon' }, body }, ID)
      assert.deepEqual(answer, {
        type: 'rejected',
        apnsId: ID,
        status: 503,
        reason: '',
        timestampMs: null,
        retryAfterS: null,
      })
    }
  })
})
