import assert from 'node:assert/strict'
import { it } from 'node:test'
import { IdleMemory } from './idle-memory.ts'

/** Fills the heap with what nobody needs any more when it returns. */
function litter(): number {
  const rows: object[] = []
  for (let index = 0; index < 2_000_000; index += 1) rows.push({ index, text: `row ${index}` })
  return rows.length
}

it('gives memory back when nothing is done any more', async (t) => {
  const idleMemory = new IdleMemory()
  idleMemory.start()
  t.after(() => idleMemory.stop())
  assert.ok(litter() > 0)
  const littered = process.memoryUsage().heapTotal
  assert.ok(littered > 128 * 1024 * 1024)
  while (process.memoryUsage().heapTotal > littered / 2)
    await new Promise((resolve) => setTimeout(resolve, 100))
})
