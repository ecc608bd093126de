import assert from 'node:assert/strict'
import { test } from 'node:test'
import { LastWrite } from './last-write.ts'

test('the last write is the one before the line, which is a write of its own', () => {
  const lastWrite = new LastWrite(100)
  lastWrite.note(100, 5)
  lastWrite.note(150, 10)
  lastWrite.note(170, 15)
  lastWrite.note(170, 20)
  lastWrite.note(190, 995)
  assert.equal(lastWrite.before(1000), 15)
})

test('where nothing was written before the line, the line is the end', () => {
  const lastWrite = new LastWrite(100)
  lastWrite.note(100, 5)
  assert.equal(lastWrite.before(8), 8)
  lastWrite.note(120, 10)
  assert.equal(lastWrite.before(11), 11)
})

test('only the latest writes are kept, and they are enough', () => {
  const lastWrite = new LastWrite(0)
  for (let written = 1; written <= 1000; written += 1) lastWrite.note(written, written)
  assert.equal(lastWrite.before(1005), 994)
})
