import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { Sessions } from './sessions.ts'

const session = (n: number): Buffer => Buffer.from([n])

describe('Sessions', () => {
  it('gives the latest of a host again and again, until it is dropped', () => {
    const sessions = new Sessions()
    const [old, latest] = [session(1), session(2)]
    sessions.keep('a:443', old)
    sessions.keep('a:443', latest)
    assert.deepEqual([sessions.get('a:443'), sessions.get('a:443')], [latest, latest])
    sessions.drop('a:443', old)
    assert.equal(sessions.get('a:443'), latest)
    sessions.drop('a:443', latest)
    assert.equal(sessions.get('a:443'), undefined)
  })

  it('keeps ports apart, and those of sixteen hosts', () => {
    const sessions = new Sessions()
    sessions.keep('a:443', session(1))
    sessions.keep('a:2197', session(2))
    assert.deepEqual(sessions.get('a:443'), session(1))
    for (let n = 0; n < 15; n += 1) sessions.keep(`host-${n}:443`, session(n))
    assert.equal(sessions.get('a:443'), undefined)
    assert.deepEqual(sessions.get('a:2197'), session(2))
  })
})
