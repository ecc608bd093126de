import { factsOfReason, type SendResult } from '@apnsd/apns'
import type { OutcomeDetail, State } from '../outcome.ts'

/** What is to be done about a result: the end of the notification, another attempt, or a halt for the whole app. */
export type Decision =
  | {
      readonly type: 'settle'
      readonly state: Exclude<State, 'waiting'>
      readonly detail?: OutcomeDetail
    }
  | { readonly type: 'retry'; readonly delayMs: number; readonly why: string }
  /** Nothing of this app will be taken until its credential is mended: keep everything, send nothing. */
  | { readonly type: 'pauseApp'; readonly why: string }

/** One quick second try, then waits that double up to Apple's own figure for a server that is down: 15 minutes. */
const FIRST_DELAY_MS = 10_000
const LONGEST_DELAY_MS = 15 * 60_000
/** With the waits above these attempts span about three hours. */
export const MAX_ATTEMPTS = 20

/**
 * Decides what becomes of a notification after one attempt to send it.
 * @param attempt 1 for the first
 * @param random from 0 up to 1, for full jitter: those that failed together do not come back together
 */
export function decide(result: SendResult, attempt: number, random: () => number): Decision {
  switch (result.type) {
    case 'accepted':
      return { type: 'settle', state: 'accepted' }
    case 'invalid':
      return { type: 'settle', state: 'failed', detail: { reason: result.cause } }
    case 'notProcessed':
    case 'inDoubt':
      if (attempt >= MAX_ATTEMPTS)
        return { type: 'settle', state: 'failed', detail: { reason: result.cause } }
      return { type: 'retry', delayMs: backoffMs(attempt, random), why: result.cause }
    case 'rejected': {
      const { status, reason, timestampMs, retryAfterS } = result
      const { class: reasonClass } = factsOfReason(reason, status)
      if (reasonClass === 'credential') return { type: 'pauseApp', why: reason }
      const mayBeTakenLater = reasonClass !== 'notification' && reasonClass !== 'deviceToken'
      if (mayBeTakenLater && attempt < MAX_ATTEMPTS) {
        // a fresh provider token mends the one kind at once; the others asked for time
        const quick = reasonClass === 'providerToken'
        const delayMs = backoffMs(quick ? attempt : attempt + 1, random)
        return { type: 'retry', delayMs: Math.max(delayMs, (retryAfterS ?? 0) * 1000), why: reason }
      }
      const detail = { status, reason, ...(timestampMs === null ? {} : { timestampMs }) }
      return { type: 'settle', state: 'rejected', detail }
    }
  }
}

/** The wait before the attempt after `attempt`: nearly none before the second, then full jitter. */
function backoffMs(attempt: number, random: () => number): number {
  if (attempt === 1) return Math.round(random() * 1000)
  const ceiling = Math.min(FIRST_DELAY_MS * 2 ** (attempt - 2), LONGEST_DELAY_MS)
  return Math.round(random() * ceiling)
}
