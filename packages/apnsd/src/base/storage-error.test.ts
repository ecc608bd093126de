import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { isStorageFailure, type StorageFault, toStorageError } from './storage-error.ts'

const sqliteError = (errcode: number) => Object.assign(new Error('from SQLite'), { errcode })

describe('toStorageError', () => {
  const nothing = () => null

  it('says what SQLite’s code means, by the extended one where that says more', () => {
    const expected: [number, StorageFault][] = [
      [13, 'disk-full'],
      [8, 'read-only'],
      [1544, 'no-permission'],
      [11, 'damaged'],
      [267, 'damaged'],
      [26, 'not-sqlite'],
      [517, 'busy'],
      [5386, 'no-locks'],
      [778, 'io-error'],
      [14, 'cannot-open'],
    ]
    for (const [code, fault] of expected)
      assert.equal(toStorageError(sqliteError(code), 'x', nothing).fault, fault, String(code))
  })

  it('asks the system where SQLite only knows that input or output failed', () => {
    assert.equal(toStorageError(sqliteError(4874), 'x', () => 'disk-full').fault, 'disk-full')
    const error = toStorageError(sqliteError(11), 'x', () => assert.fail('asked in vain'))
    assert.equal(error.fault, 'damaged')
  })

  it('says when to try again, unless somebody has to mend the file first', () => {
    assert.equal(toStorageError(sqliteError(13), 'x', nothing).retryAfterS, 10)
    assert.equal(toStorageError(sqliteError(11), 'x', nothing).retryAfterS, undefined)
  })

  it('shows nothing of SQLite’s own text', () => {
    const error = toStorageError(sqliteError(13), 'The daemon could not write this down', nothing)
    assert.equal(error.message, 'The daemon could not write this down: the disk is full.')
  })

  it('is not for mistakes of ours', () => {
    assert.equal(isStorageFailure(new TypeError('x is undefined')), false)
    // wrong SQL, and a constraint
    assert.equal(isStorageFailure(sqliteError(1)), false)
    assert.equal(isStorageFailure(sqliteError(2067)), false)
    assert.equal(isStorageFailure(sqliteError(13)), true)
  })
})
