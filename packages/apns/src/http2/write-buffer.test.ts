import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { MAX_WRITE_BUFFER_BYTES, WRITE_BUFFER_BYTES, WriteBuffer } from './write-buffer.ts'

function put(buffer: WriteBuffer, bytes: Uint8Array): void {
  buffer.reserve(bytes.length)
  buffer.bytes.set(bytes, buffer.end)
  buffer.end += bytes.length
}

describe('WriteBuffer', () => {
  it('hands out what was filled, and goes on behind it in the same memory', () => {
    const buffer = new WriteBuffer()
    put(buffer, Buffer.from('one'))
    const first = buffer.take()
    put(buffer, Buffer.from('two'))
    const second = buffer.take()
    assert.deepEqual([first.toString(), second.toString()], ['one', 'two'])
    assert.equal(first.buffer, second.buffer)
    assert.equal(buffer.take().length, 0)
  })

  it('starts a new slab where the last one has little room, and leaves what was taken alone', () => {
    const buffer = new WriteBuffer()
    put(buffer, Buffer.alloc(WRITE_BUFFER_BYTES - 100, 1))
    const first = buffer.take()
    put(buffer, Buffer.alloc(200, 2))
    assert.notEqual(buffer.bytes.buffer, first.buffer)
    assert.equal(buffer.start, 0, 'nothing had to be moved')
    assert.deepEqual(buffer.take(), Buffer.alloc(200, 2))
    assert.ok(first.every((byte) => byte === 1))
  })

  it('gives a slab with little room up when it is taken, not in the midst of the next turn', () => {
    const buffer = new WriteBuffer()
    put(buffer, Buffer.alloc(WRITE_BUFFER_BYTES - 100))
    buffer.take()
    assert.equal(buffer.bytes.length, 0)
  })

  it('moves what outgrows its slab', () => {
    const buffer = new WriteBuffer()
    put(buffer, Buffer.alloc(40_000, 1))
    buffer.take()
    put(buffer, Buffer.alloc(20_000, 2))
    put(buffer, Buffer.alloc(20_000, 3))
    assert.deepEqual(
      buffer.take(),
      Buffer.concat([Buffer.alloc(20_000, 2), Buffer.alloc(20_000, 3)]),
    )
  })

  it('says when a turn has written enough', () => {
    const buffer = new WriteBuffer()
    assert.ok(buffer.hasRoomFor(WRITE_BUFFER_BYTES))
    put(buffer, Buffer.alloc(1))
    assert.ok(!buffer.hasRoomFor(WRITE_BUFFER_BYTES))
    buffer.take()
    assert.ok(buffer.hasRoomFor(WRITE_BUFFER_BYTES))
  })

  it('grows past 64 KiB when it has to, but never past its bound', () => {
    const buffer = new WriteBuffer()
    put(buffer, Buffer.alloc(MAX_WRITE_BUFFER_BYTES, 7))
    assert.throws(() => put(buffer, Buffer.alloc(2 * MAX_WRITE_BUFFER_BYTES)), RangeError)
    assert.equal(buffer.take().length, MAX_WRITE_BUFFER_BYTES)
  })

  it('refuses to fill past its bound even where its slab has room', () => {
    const buffer = new WriteBuffer()
    put(buffer, Buffer.alloc(MAX_WRITE_BUFFER_BYTES))
    assert.throws(() => buffer.reserve(1), RangeError)
  })

  it('gives back every byte in order, whatever is put and taken', () => {
    const steps = fc.array(fc.oneof(fc.constant('take' as const), fc.nat({ max: 30_000 })), {
      maxLength: 30,
    })
    fc.assert(
      fc.property(steps, (sizes) => {
        const buffer = new WriteBuffer()
        const filled: Buffer[] = []
        const taken: Buffer[] = []
        for (const [i, size] of sizes.entries()) {
          if (size === 'take') {
            taken.push(buffer.take())
            continue
          }
          filled.push(Buffer.alloc(size, i + 1))
          put(buffer, Buffer.alloc(size, i + 1))
        }
        taken.push(buffer.take())
        assert.ok(Buffer.concat(taken).equals(Buffer.concat(filled)))
      }),
    )
  })
})
