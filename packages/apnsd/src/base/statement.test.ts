import assert from 'node:assert/strict'
import { DatabaseSync } from 'node:sqlite'
import { it } from 'node:test'
import { Statement } from './statement.ts'

it('works again at the next use after it has failed row by row', () => {
  const database = new DatabaseSync(':memory:')
  database.exec('CREATE TABLE numbers (n); INSERT INTO numbers VALUES (1), (2), (3)')
  let bad: unknown = 2
  database.function('check_number', (n) => {
    if (n === bad) throw new Error('bad')
    return n
  })
  const prepared = database.prepare('SELECT check_number(n) AS n FROM numbers')
  const statement = new Statement(prepared, (cause) => new Error('failed', { cause }))
  assert.throws(() => [...statement.iterate()], { message: 'failed' })
  bad = undefined
  assert.deepEqual(
    [...statement.iterate()].map(({ n }) => n),
    [1, 2, 3],
  )
  database.close()
})
