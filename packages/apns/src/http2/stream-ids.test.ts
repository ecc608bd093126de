import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { RETIRE_STREAMS, StreamIds } from './stream-ids.ts'

const LAST = 2 ** 31 - 1

describe('StreamIds', () => {
  it('counts 1, 3, 5', () => {
    const ids = new StreamIds()
    assert.equal(ids.left, 2 ** 30)
    assert.deepEqual([ids.next(), ids.next(), ids.next()], [1, 3, 5])
  })

  it('knows which streams were opened', () => {
    const ids = new StreamIds()
    assert.ok(ids.isIdle(1))
    ids.next()
    assert.ok(!ids.isIdle(1))
    assert.ok(ids.isIdle(3))
  })

  it('is due to retire some time before the last stream, and then ends', () => {
    const ids = new StreamIds(LAST - 2 * RETIRE_STREAMS)
    assert.ok(!ids.isRetireDue)
    ids.next()
    assert.ok(ids.isRetireDue)
    const last = new StreamIds(LAST)
    assert.equal(last.left, 1)
    assert.equal(last.next(), LAST)
    assert.equal(last.left, 0)
    assert.throws(() => last.next(), RangeError)
    assert.ok(!last.isIdle(LAST))
  })
})
