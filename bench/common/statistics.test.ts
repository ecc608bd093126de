import assert from 'node:assert/strict'
import { test } from 'node:test'
import { median, percentile, summarize } from './statistics.ts'

test('the median is the value in the middle, or the mean of the two there', () => {
  assert.equal(median([9, 1, 5]), 5)
  assert.equal(median([9, 1, 5, 7]), 6)
  assert.equal(median([3]), 3)
  assert.throws(() => median([]), RangeError)
})

test('a summary holds the lowest and the highest beside the median', () => {
  assert.deepEqual(summarize([4, 10, 2]), { median: 4, min: 2, max: 10 })
})

test('a percentile is a value that was measured, the nearest rank', () => {
  const hundred = Array.from({ length: 100 }, (_, index) => 100 - index)
  assert.equal(percentile(hundred, 50), 50)
  assert.equal(percentile(hundred, 99), 99)
  assert.equal(percentile([7], 99), 7)
  assert.equal(percentile([1, 2], 0), 1)
})
