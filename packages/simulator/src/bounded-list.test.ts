import assert from 'node:assert/strict'
import { test } from 'node:test'
import { BoundedList } from './bounded-list.ts'

test('drops the oldest beyond its number', () => {
  const list = new BoundedList<number>(3)
  for (let n = 0; n < 100; n += 1) {
    list.push(n)
    const oldest = Math.max(0, n - 2)
    assert.deepEqual(
      list.toArray(),
      [oldest, oldest + 1, oldest + 2].filter((kept) => kept <= n),
    )
  }
})

test('drops the oldest beyond its weight, but never the newest', () => {
  const list = new BoundedList<string>(100, 10)
  list.push('a', 6)
  list.push('b', 4)
  assert.deepEqual(list.toArray(), ['a', 'b'])
  list.push('c', 1)
  assert.deepEqual(list.toArray(), ['b', 'c'])
  list.push('d', 11)
  assert.deepEqual(list.toArray(), ['d'])
})

test('starts anew when cleared', () => {
  const list = new BoundedList<string>(2, 10)
  list.push('a', 10)
  list.clear()
  assert.equal(list.length, 0)
  list.push('b', 10)
  assert.deepEqual(list.toArray(), ['b'])
})
