import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { ConnectLimiter } from './connect-limiter.ts'

describe('ConnectLimiter', () => {
  it('lets fifty through at once, and ten a second from then on', () => {
    let now = 5000
    const limiter = new ConnectLimiter(() => now)
    for (let n = 0; n < 50; n += 1) assert.equal(limiter.takeTurn(), 0)
    const waits = Array.from({ length: 10 }, () => limiter.takeTurn())
    assert.deepEqual(waits, [100, 200, 300, 400, 500, 600, 700, 800, 900, 1000])
    now += 1000
    assert.equal(limiter.takeTurn(), 100)
  })

  it('lets fifty through again after a pause, and no more however long that was', () => {
    let now = 0
    const limiter = new ConnectLimiter(() => now)
    for (let n = 0; n < 60; n += 1) limiter.takeTurn()
    now += 3_600_000
    for (let n = 0; n < 50; n += 1) assert.equal(limiter.takeTurn(), 0)
    assert.equal(limiter.takeTurn(), 100)
  })
})
