import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { OpenStreams } from './open-streams.ts'
import { RequestStream } from './request-stream.ts'

function newStream(id: number): RequestStream {
  const stream = new RequestStream()
  stream.id = id
  return stream
}

const idsOf = (streams: OpenStreams<RequestStream>): number[] =>
  streams.toArray().map(({ id }) => id)

describe('OpenStreams', () => {
  it('finds a stream that is still open when 4096 later ones have passed, and each of those', () => {
    const streams = new OpenStreams<RequestStream>()
    const old = newStream(1)
    streams.add(old)
    for (let id = 3; id < 30_000; id += 2) {
      const stream = newStream(id)
      streams.add(stream)
      assert.equal(streams.get(id), stream)
      assert.equal(streams.get(1), old)
      assert.equal(streams.delete(stream), true)
      assert.equal(streams.get(id), undefined)
    }
    assert.equal(streams.size, 1)
    assert.equal(streams.delete(old), true)
    assert.equal(streams.delete(old), false)
    assert.equal(streams.first, null)
  })

  it('does not take one stream for another of the same slot or the same identifier', () => {
    const streams = new OpenStreams<RequestStream>()
    streams.add(newStream(5))
    assert.equal(streams.get(5 + 8192), undefined)
    assert.equal(streams.has(newStream(5)), false)
    assert.equal(streams.delete(newStream(5)), false)
    assert.equal(streams.delete(newStream(0)), false)
    assert.deepEqual(idsOf(streams), [5])
  })

  it('does what a Map does, whatever is added and deleted', () => {
    // an entry opens a stream, or closes one of those that are open
    const steps = fc.array(fc.oneof(fc.constant(null), fc.nat(20_000)), { maxLength: 400 })
    fc.assert(
      fc.property(steps, fc.integer({ min: 1, max: 5000 }), (acts, stride) => {
        const streams = new OpenStreams<RequestStream>()
        const model = new Map<number, RequestStream>()
        let id = 1
        for (const act of acts) {
          const open = [...model.values()]
          if (act === null || open.length === 0) {
            const stream = newStream(id)
            id += 2 * stride
            streams.add(stream)
            model.set(stream.id, stream)
          } else {
            const stream = open[act % open.length]!
            assert.equal(streams.delete(stream), true)
            model.delete(stream.id)
          }
          assert.equal(streams.size, model.size)
          assert.deepEqual(idsOf(streams), [...model.keys()])
          for (const [key, stream] of model) assert.equal(streams.get(key), stream)
        }
      }),
    )
  })
})
