import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { Fifo } from './fifo.ts'

describe('Fifo', () => {
  it('does what an array does, also past the places that lie empty', () => {
    const steps = fc.array(
      fc.oneof(fc.integer({ min: 1, max: 3000 }), fc.constant(-1), fc.constant(-2)),
    )
    fc.assert(
      fc.property(steps, (acts) => {
        const fifo = new Fifo<number>()
        const model: number[] = []
        let next = 1
        for (const act of acts) {
          if (act > 0)
            for (let n = 0; n < act; n += 1) {
              fifo.push(next)
              model.push(next)
              next += 1
            }
          else if (act === -1)
            for (let n = 0; n < 1100; n += 1) assert.equal(fifo.shift(), model.shift())
          else {
            const isOdd = (item: number): boolean => item % 2 === 1
            assert.deepEqual(fifo.takeWhere(isOdd), model.filter(isOdd))
            model.splice(0, model.length, ...model.filter((item) => !isOdd(item)))
          }
          assert.equal(fifo.length, model.length)
          assert.equal(fifo.first, model[0])
        }
        assert.deepEqual(fifo.takeAll(), model)
        assert.equal(fifo.length, 0)
      }),
    )
  })
})
