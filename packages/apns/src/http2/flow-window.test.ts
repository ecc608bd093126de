import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { FLOW_CONTROL_ERROR, Http2Error } from './errors.ts'
import { FlowWindow, ReceiveWindow } from './flow-window.ts'

const MAX = 2 ** 31 - 1

const isFlowControlError = (streamId: number) => (error: unknown) =>
  error instanceof Http2Error &&
  error.errorCode === FLOW_CONTROL_ERROR &&
  error.streamId === streamId

describe('FlowWindow', () => {
  it('becomes negative when SETTINGS take away what was spent, and recovers', () => {
    const window = new FlowWindow(1, 65_535)
    window.spend(60_000)
    window.shift(16_384 - 65_535)
    assert.equal(window.bytes, 16_384 - 60_000)
    window.spend(0)
    assert.throws(() => window.spend(1), RangeError)
    window.widen(50_000)
    assert.equal(window.bytes, 16_384 - 10_000)
  })

  it('closes the stream, or the connection, that WINDOW_UPDATE widens past 2^31-1', () => {
    for (const streamId of [0, 5]) {
      const window = new FlowWindow(streamId, 1)
      window.widen(MAX - 1)
      assert.throws(() => window.widen(1), isFlowControlError(streamId))
      assert.equal(window.bytes, MAX)
    }
  })

  it('closes the connection when INITIAL_WINDOW_SIZE widens a stream past 2^31-1', () => {
    const window = new FlowWindow(5, 65_535)
    window.widen(MAX - 65_536)
    window.shift(1)
    assert.equal(window.bytes, MAX)
    assert.throws(() => window.shift(1), isFlowControlError(0))
  })

  it('refuses to spend what is not there', () => {
    const window = new FlowWindow(1, 10)
    window.spend(10)
    assert.throws(() => window.spend(1), RangeError)
  })

  it('stays equal to a sum, within its bounds, whatever comes', () => {
    const step = fc.oneof(
      fc.record({ type: fc.constant('spend' as const), bytes: fc.nat({ max: 100_000 }) }),
      fc.record({ type: fc.constant('widen' as const), bytes: fc.integer({ min: 1, max: MAX }) }),
      fc.record({
        type: fc.constant('shift' as const),
        bytes: fc.integer({ min: -MAX, max: MAX }),
      }),
    )
    fc.assert(
      fc.property(fc.nat({ max: MAX }), fc.array(step), (initialBytes, steps) => {
        const window = new FlowWindow(1, initialBytes)
        let sum = initialBytes
        for (const { type, bytes } of steps) {
          const next = type === 'spend' ? sum - bytes : sum + bytes
          const isAllowed = type === 'spend' ? bytes <= Math.max(0, sum) : next <= MAX
          if (isAllowed) {
            window[type](bytes)
            sum = next
          } else {
            assert.throws(() => window[type](bytes))
          }
          assert.equal(window.bytes, sum)
          assert.ok(sum <= MAX)
        }
      }),
    )
  })
})

describe('ReceiveWindow', () => {
  it('gives back what was received once half of the window is spent', () => {
    const window = new ReceiveWindow(1, 100, 100)
    assert.equal(window.receive(49), 0)
    assert.equal(window.receive(1), 50)
    assert.equal(window.bytes, 100)
  })

  it('widens the connection’s window when it opens', () => {
    const window = new ReceiveWindow(0, 1_000_000)
    assert.equal(window.refill(), 1_000_000 - 65_535)
    assert.equal(window.refill(), 0)
  })

  it('never takes back what the peer has already', () => {
    const window = new ReceiveWindow(0, 100)
    assert.equal(window.refill(), 0)
    assert.equal(window.bytes, 65_535)
  })

  it('closes the stream, or the connection, on which more comes than was allowed', () => {
    for (const streamId of [0, 3]) {
      const window = new ReceiveWindow(streamId, 100, 100)
      assert.throws(() => window.receive(101), isFlowControlError(streamId))
    }
  })

  it('never leaves an honest peer without a window, nor with more than a full one', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 1000 }), fc.array(fc.nat()), (fullBytes, sizes) => {
        const window = new ReceiveWindow(1, fullBytes, fullBytes)
        let peerBytes = fullBytes
        for (const size of sizes) {
          const bytes = size % (peerBytes + 1)
          peerBytes += window.receive(bytes) - bytes
          assert.equal(window.bytes, peerBytes)
          assert.ok(peerBytes > 0 && peerBytes <= fullBytes)
        }
      }),
    )
  })
})
