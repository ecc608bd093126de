import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { REASONS, type SendResult } from '@apnsd/apns'
import { decide, MAX_ATTEMPTS } from './retry.ts'

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
const almostOne = (): number => 0.999_999_9

describe('decide', () => {
  it('settles what Apple took, and what it will never take', () => {
    assert.deepEqual(decide({ type: 'accepted', apnsId: '', uniqueId: null }, 1, almostOne), {
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
      const decision = decide(rejected(REASONS[reason].status, reason), 1, almostOne)
      assert.equal(decision.type === 'settle' && decision.state, 'rejected', reason)
    }
  })

  it('keeps Apple’s reason and timestamp', () => {
    const gone = { ...rejected(410, 'Unregistered'), timestampMs: 5 } as SendResult
    assert.deepEqual(decide(gone, 1, almostOne), {
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
      assert.equal(decide(rejected(403, reason), 1, almostOne).type, 'pauseApp', reason)
  })

  it('tries again later where Apple is in trouble or asks for time, up to 15 minutes apart', () => {
    for (const [status, reason] of [
      [429, 'TooManyRequests'],
      [500, 'InternalServerError'],
      [503, 'ServiceUnavailable'],
      [599, 'Unheard'],
    ] as const) {
      const delays = Array.from({ length: MAX_ATTEMPTS - 1 }, (_, index) => {
        const decision = decide(rejected(status, reason), index + 1, almostOne)
        return decision.type === 'retry' ? decision.delayMs : assert.fail(decision.type)
      })
      assert.equal(delays[0], 10_000)
      assert.equal(Math.max(...delays), 15 * 60_000)
      assert.equal(decide(rejected(status, reason), MAX_ATTEMPTS, almostOne).type, 'settle')
    }
  })

  it('waits at least as long as Apple asks', () => {
    const decision = decide(rejected(429, 'TooManyRequests', 3600), 1, () => 0)
    assert.equal(decision.type === 'retry' && decision.delayMs, 3_600_000)
  })

  it('sends again at once what was not processed or is in doubt, and gives up in the end', () => {
    for (const type of ['notProcessed', 'inDoubt'] as const) {
      const first = decide({ type, cause: 'lost' }, 1, almostOne)
      assert.ok(first.type === 'retry' && first.delayMs <= 1000)
      assert.deepEqual(decide({ type, cause: 'lost' }, MAX_ATTEMPTS, almostOne), {
        type: 'settle',
        state: 'failed',
        detail: { reason: 'lost' },
      })
    }
  })
})
