import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { REASONS, type SendResult } from '@apnsd/apns'
import fc from 'fast-check'
import { type Attempt, type Decision, decide, MAX_AGE_MS, MAX_ATTEMPTS } from './retry.ts'

const NOW_MS = 1_700_000_000_000
const ALMOST_ONE = 0.999_999_9

const rejected = (
  status: number,
  reason: string,
  retryAfterS: number | null = null,
): SendResult => ({
  type: 'rejected',
  apnsId: '',
  status,
  reason,
  timestampMs: null,
  retryAfterS,
})

const attemptOf = (attempt: Partial<Attempt> = {}): Attempt => ({
  number: 1,
  nowMs: NOW_MS,
  sinceMs: NOW_MS,
  expiresAtMs: null,
  inDoubt: 'resend',
  jitter: ALMOST_ONE,
  ...attempt,
})

const delayOf = (decision: Decision): number =>
  decision.type === 'retry' ? decision.dueAtMs - NOW_MS : assert.fail(decision.type)

describe('decide', () => {
  it('settles what Apple took, and what it will never take', () => {
    assert.deepEqual(decide({ type: 'accepted', apnsId: '', uniqueId: null }, attemptOf()), {
      type: 'settle',
      state: 'accepted',
    })
    // the six that Apple forbids to repeat, Forbidden aside, which is about the credential
    for (const reason of [
      'BadDeviceToken',
      'DeviceTokenNotForTopic',
      'ExpiredToken',
      'Unregistered',
      'PayloadTooLarge',
    ] as const) {
      const decision = decide(rejected(REASONS[reason].status, reason), attemptOf())
      assert.equal(decision.type === 'settle' && decision.state, 'rejected', reason)
    }
  })

  it('keeps Apple’s reason and timestamp', () => {
    const gone = { ...rejected(410, 'Unregistered'), timestampMs: 5 } as SendResult
    assert.deepEqual(decide(gone, attemptOf()), {
      type: 'settle',
      state: 'rejected',
      detail: { status: 410, reason: 'Unregistered', timestampMs: 5 },
    })
  })

  it('halts the app where the credential is at fault', () => {
    for (const reason of [
      'BadCertificate',
      'BadCertificateEnvironment',
      'InvalidProviderToken',
      'Forbidden',
      'BadEnvironmentKeyInToken',
    ])
      assert.equal(decide(rejected(403, reason), attemptOf()).type, 'pauseApp', reason)
  })

  it('tries again later where Apple is in trouble or asks for time, up to 15 minutes apart', () => {
    for (const [status, reason] of [
      [429, 'TooManyRequests'],
      [500, 'InternalServerError'],
      [503, 'ServiceUnavailable'],
      [599, 'Unheard'],
    ] as const) {
      const delays = Array.from({ length: MAX_ATTEMPTS - 1 }, (_, index) =>
        delayOf(decide(rejected(status, reason), attemptOf({ number: index + 1 }))),
      )
      assert.equal(delays[0], 10_000)
      assert.equal(Math.max(...delays), 15 * 60_000)
      const last = decide(rejected(status, reason), attemptOf({ number: MAX_ATTEMPTS }))
      assert.deepEqual(last, { type: 'settle', state: 'rejected', detail: { status, reason } })
    }
  })

  it('waits at least as long as Apple asks', () => {
    const decision = decide(rejected(429, 'TooManyRequests', 3600), attemptOf({ jitter: 0 }))
    assert.equal(delayOf(decision), 3_600_000)
  })

  it('sends again at once what was not processed or is in doubt, and gives up in the end', () => {
    for (const type of ['notProcessed', 'inDoubt'] as const) {
      assert.ok(delayOf(decide({ type, cause: 'lost' }, attemptOf())) <= 1000)
      assert.deepEqual(decide({ type, cause: 'lost' }, attemptOf({ number: MAX_ATTEMPTS })), {
        type: 'settle',
        state: 'failed',
        detail: { reason: 'lost' },
      })
    }
  })

  it('drops what is in doubt where the app wants that, and nothing else', () => {
    const attempt = attemptOf({ inDoubt: 'drop' })
    assert.deepEqual(decide({ type: 'inDoubt', cause: 'lost' }, attempt), {
      type: 'settle',
      state: 'failed',
      detail: { reason: 'lost' },
    })
    assert.equal(decide({ type: 'notProcessed', cause: 'lost' }, attempt).type, 'retry')
  })

  it('never tries again past the expiration, and says why it had not gone before', () => {
    const soon = attemptOf({ expiresAtMs: NOW_MS + 9999 })
    assert.deepEqual(decide(rejected(503, 'ServiceUnavailable'), soon), {
      type: 'settle',
      state: 'expired',
      detail: { status: 503, reason: 'ServiceUnavailable' },
    })
    const later = attemptOf({ expiresAtMs: NOW_MS + 10_001 })
    assert.equal(decide(rejected(503, 'ServiceUnavailable'), later).type, 'retry')
  })

  it('gives up after a day', () => {
    const old = attemptOf({ number: 2, sinceMs: NOW_MS - MAX_AGE_MS })
    assert.equal(decide({ type: 'inDoubt', cause: 'lost' }, old).type, 'settle')
    const endless = decide(rejected(503, 'Shutdown', 90_000), attemptOf())
    assert.equal(endless.type === 'settle' && endless.state, 'rejected')
  })

  it('decides anything in bounds: due after now, before the end of its time, no more often than allowed', () => {
    const result = fc.oneof(
      fc
        .constantFrom<'notProcessed' | 'inDoubt'>('notProcessed', 'inDoubt')
        .map((type): SendResult => ({ type, cause: 'x' })),
      fc
        .record({
          status: fc.integer({ min: 300, max: 599 }),
          reason: fc.oneof(fc.constantFrom(...Object.keys(REASONS)), fc.string()),
          retryAfterS: fc.option(fc.nat(1_000_000)),
        })
        .map(({ status, reason, retryAfterS }) => rejected(status, reason, retryAfterS)),
    )
    const attempt = fc.record({
      number: fc.integer({ min: 1, max: MAX_ATTEMPTS + 1 }),
      nowMs: fc.constant(NOW_MS),
      sinceMs: fc.integer({ min: NOW_MS - 2 * MAX_AGE_MS, max: NOW_MS }),
      expiresAtMs: fc.option(fc.integer({ min: NOW_MS - 1000, max: NOW_MS + 1_000_000 })),
      inDoubt: fc.constantFrom('resend' as const, 'drop' as const),
      jitter: fc.double({ min: 0, max: ALMOST_ONE, noNaN: true }),
    })
    fc.assert(
      fc.property(result, attempt, (one, about) => {
        const decision = decide(one, about)
        if (decision.type !== 'retry') return
        assert.ok(decision.dueAtMs >= NOW_MS)
        assert.ok(about.expiresAtMs === null || decision.dueAtMs < about.expiresAtMs)
        assert.ok(about.number < MAX_ATTEMPTS)
        assert.ok(decision.dueAtMs - about.sinceMs <= MAX_AGE_MS)
      }),
    )
  })
})
