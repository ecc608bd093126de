import { factsOfReason, type SendResult } from '@apnsd/apns'
import type { FinalState, OutcomeDetail } from '../outcome.ts'

/** What is to be done about a result: the end of the notification, another attempt, or a halt for the whole app. */
export type Decision =
  | {
      readonly type: 'settle'
      readonly state: FinalState
      readonly detail?: OutcomeDetail
    }
  | { readonly type: 'retry'; readonly dueAtMs: number; readonly reason: string }
  /** Nothing of this app will be taken until its credential is mended: keep everything, send nothing. */
  | { readonly type: 'pauseApp'; readonly why: string }

/** What an app wants done where it is not known whether Apple took a notification: send it again, or give it up. */
export type InDoubtPolicy = 'resend' | 'drop'

/** Everything besides the result that a decision depends on. */
export interface Attempt {
  /** 1 for the first. */
  readonly number: number
  /** ms since the epoch. */
  readonly nowMs: number
  /** Since when it might have been sent, ms since the epoch. */
  readonly sinceMs: number
  /** Nothing goes after, ms since the epoch: its ttl, or Apple's own expiration if that is sooner; null: no such time. */
  readonly expiresAtMs: number | null
  readonly inDoubt: InDoubtPolicy
  /** From 0 up to 1, for full jitter: those that failed together do not come back together. */
  readonly jitter: number
}

/** One quick second try, then waits that double up to Apple's own figure for a server that is down: 15 minutes. */
const FIRST_DELAY_MS = 10_000
const LONGEST_DELAY_MS = 15 * 60_000
/** With the waits above these attempts span about three hours. */
export const MAX_ATTEMPTS = 20
/** However long Apple asks to wait: what could not be sent in a day is news no more. */
export const MAX_AGE_MS = 24 * 60 * 60_000

/**
 * Decides what becomes of a notification after one attempt to send it: a function of Apple's reason, the attempt, its
 * age, its expiration and the clock. Nothing is sent again past its expiration, nor after too many attempts or too long.
 */
export function decide(result: SendResult, attempt: Attempt): Decision {
  switch (result.type) {
    case 'accepted':
      return { type: 'settle', state: 'accepted' }
    case 'invalid':
      return giveUp({ reason: result.cause })
    case 'inDoubt':
      if (attempt.inDoubt === 'drop') return giveUp({ reason: result.cause })
      return retryAfter(
        backoffMs(attempt.number, attempt.jitter),
        { reason: result.cause },
        attempt,
      )
    case 'notProcessed':
      return retryAfter(
        backoffMs(attempt.number, attempt.jitter),
        { reason: result.cause },
        attempt,
      )
    case 'rejected':
      return decideRejected(result, attempt)
  }
}

function decideRejected(
  { status, reason, timestampMs, retryAfterS }: Extract<SendResult, { type: 'rejected' }>,
  attempt: Attempt,
): Decision {
  const detail = { status, reason, ...(timestampMs === null ? {} : { timestampMs }) }
  const { class: reasonClass } = factsOfReason(reason, status)
  switch (reasonClass) {
    case 'notification':
    case 'deviceToken':
      return { type: 'settle', state: 'rejected', detail }
    case 'credential':
      return { type: 'pauseApp', why: reason }
    case 'providerToken':
      // a fresh provider token mends it at once
      return retryAfter(backoffMs(attempt.number, attempt.jitter), detail, attempt)
    case 'throttled':
    case 'server': {
      const askedMs = (retryAfterS ?? 0) * 1000
      const delayMs = Math.max(backoffMs(attempt.number + 1, attempt.jitter), askedMs)
      return retryAfter(delayMs, detail, attempt)
    }
  }
}

/** Apple's last word stays the outcome where there was one: `rejected`, else `failed`. */
function giveUp(detail: OutcomeDetail): Decision {
  return { type: 'settle', state: detail.status === undefined ? 'failed' : 'rejected', detail }
}

function retryAfter(delayMs: number, detail: OutcomeDetail, attempt: Attempt): Decision {
  const { number, nowMs, sinceMs, expiresAtMs } = attempt
  const dueAtMs = nowMs + Math.round(delayMs)
  if (number >= MAX_ATTEMPTS || dueAtMs - sinceMs > MAX_AGE_MS) return giveUp(detail)
  if (expiresAtMs !== null && dueAtMs >= expiresAtMs)
    return { type: 'settle', state: 'expired', detail }
  return { type: 'retry', dueAtMs, reason: detail.reason }
}

/** The wait before the attempt after `attempt`: nearly none before the second, then full jitter. */
function backoffMs(attempt: number, jitter: number): number {
  if (attempt === 1) return jitter * 1000
  return jitter * Math.min(FIRST_DELAY_MS * 2 ** (attempt - 2), LONGEST_DELAY_MS)
}
