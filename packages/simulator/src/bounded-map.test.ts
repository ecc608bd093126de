import assert from 'node:assert/strict'
import { test } from 'node:test'
import { BoundedMap } from './bounded-map.ts'

test('keeps at least its capacity and at most twice as much', () => {
  const map = new BoundedMap<number>(10)
  for (let n = 0; n < 1000; n += 1) map.set(String(n), n)
  const kept = Array.from({ length: 1000 }, (_, n) => n).filter(
    (n) => map.get(String(n)) !== undefined,
  )
  assert.ok(kept.length >= 10 && kept.length <= 20, `${kept.length} kept`)
  assert.equal(kept.at(-1), 999)
})

test('keeps what is used', () => {
  const map = new BoundedMap<number>(10)
  map.set('used', -1)
  for (let n = 0; n < 1000; n += 1) {
    map.set(String(n), n)
    assert.equal(map.get('used'), -1)
  }
})

test('gives the value set last', () => {
  const map = new BoundedMap<number>(1)
  map.set('a', 1)
  map.set('b', 2)
  map.set('a', 3)
  assert.equal(map.get('a'), 3)
  map.clear()
  assert.equal(map.get('a'), undefined)
})
