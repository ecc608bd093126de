import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { batchIdFromUuid, formatApnsId, parseApnsId } from './apns-id.ts'

describe('apns-id', () => {
  it('is a valid UUID of version 4 that leads back to batch and index', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 0xffff_ffff }), (index) => {
        const batchId = batchIdFromUuid(randomUUID())
        const apnsId = formatApnsId(batchId, index)
        assert.match(
          apnsId,
          /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/,
        )
        assert.deepEqual(parseApnsId(apnsId.toUpperCase()), { batchId, index })
      }),
    )
  })

  it('knows what is no UUID', () => {
    for (const text of ['', 'x', `${randomUUID()}0`, randomUUID().replaceAll('-', '')])
      assert.equal(parseApnsId(text), null)
  })
})
