import assert from 'node:assert/strict'
import { test } from 'node:test'
import { growthOf } from './soak.ts'

test('growth is the last quarter to the second one, so that neither the warm-up nor one peak decides', () => {
  assert.equal(growthOf([1, 2, 10, 10, 10, 99, 10, 10]), 1)
  assert.equal(growthOf([1, 2, 10, 10, 15, 16, 20, 20]), 2)
})
