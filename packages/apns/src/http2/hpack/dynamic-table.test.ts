import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { DynamicTable } from './dynamic-table.ts'

const bytesOf = (table: DynamicTable<{ bytes: number }>): (number | undefined)[] =>
  Array.from({ length: table.length }, (_, position) => table.at(position + 1)?.bytes)

describe('DynamicTable', () => {
  it('counts from the newest entry, and has none at 0 or past the oldest', () => {
    const table = new DynamicTable(200)
    for (const bytes of [40, 50, 60]) assert.equal(table.insert({ bytes }), true)
    assert.deepEqual(bytesOf(table), [60, 50, 40])
    assert.equal(table.at(0), undefined)
    assert.equal(table.at(4), undefined)
  })

  it('is emptied by an entry larger than all of it', () => {
    const table = new DynamicTable(100)
    table.insert({ bytes: 40 })
    assert.equal(table.insert({ bytes: 101 }), false)
    assert.deepEqual([table.length, table.usedBytes], [0, 0])
  })

  it('agrees with a list that is cut to its size after each step', () => {
    const step = fc.record({
      kind: fc.constantFrom('insert', 'insert', 'insert', 'resize'),
      bytes: fc.oneof(fc.integer({ min: 32, max: 2000 }), fc.integer({ min: 249, max: 251 })),
    })
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
        const table = new DynamicTable(1000)
        let model: number[] = []
        let maxBytes = 1000
        for (const { kind, bytes } of steps) {
          if (kind === 'insert') {
            table.insert({ bytes })
            model.unshift(bytes)
          } else {
            maxBytes = bytes
            table.resize(bytes)
          }
          const sum = (list: number[]): number => list.reduce((total, each) => total + each, 0)
          if (model[0]! > maxBytes) model = []
          while (sum(model) > maxBytes) model.pop()
          assert.deepEqual(bytesOf(table), model)
          assert.equal(table.usedBytes, sum(model))
        }
      }),
    )
  })
})
