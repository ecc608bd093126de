import { ApnsdError } from '../../base/errors.ts'
import { type BatchOptions, laneFor } from '../policy/lanes.ts'
import type { SubmissionOptions } from '../provider-requests.ts'

const DAY_S = 24 * 60 * 60
/** Further ahead is surely milliseconds taken for seconds, or a slip. */
const LATEST_START_S = 366 * DAY_S
/** Apple keeps nothing longer than 30 days. */
const LONGEST_TTL_S = 30 * DAY_S
const LEAST_RATE_PER_S = 0.001
const MOST_RATE_PER_S = 1_000_000

/**
 * Reads what a submission was handed in with.
 * @param notifications how many of its notifications were taken
 * @throws {ApnsdError} invalid-argument
 */
export function readBatchOptions(
  { sendAtMs, ttlS, ratePerS }: SubmissionOptions,
  notifications: number,
  nowMs: number,
): BatchOptions {
  if (sendAtMs !== undefined && !(sendAtMs >= 0 && sendAtMs <= nowMs + LATEST_START_S * 1000))
    throw new ApnsdError(
      'invalid-argument',
      'The submission is to be sent more than a year ahead.',
      {
        place: '/sendAt',
      },
    )
  if (ttlS !== undefined && !(ttlS > 0 && ttlS <= LONGEST_TTL_S))
    throw new ApnsdError(
      'invalid-argument',
      `A ttl is more than 0 and at most ${LONGEST_TTL_S} seconds.`,
      {
        place: '/ttl',
      },
    )
  if (ratePerS !== undefined && !(ratePerS >= LEAST_RATE_PER_S && ratePerS <= MOST_RATE_PER_S))
    throw new ApnsdError(
      'invalid-argument',
      `A rate is ${LEAST_RATE_PER_S} to ${MOST_RATE_PER_S} notifications a second.`,
      { place: '/rate' },
    )
  const startsAtMs = Math.max(nowMs, sendAtMs ?? 0)
  return {
    lane: laneFor(notifications, ratePerS ?? null),
    sendAtMs: Math.round(sendAtMs ?? 0),
    expiresAtMs: ttlS === undefined ? null : Math.round(startsAtMs + ttlS * 1000),
    ratePerS: ratePerS ?? null,
  }
}
