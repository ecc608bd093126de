import type { OutcomeDetail } from './outcome.ts'
import { isSuspectReason } from './policy/device-token-breaker.ts'

/**
 * What an outcome says about the device token.
 * - `dead`: Apple knows that it is.
 * - `suspect`: it is dead unless the app's environment or topic is wrong, which Apple's answer does not tell.
 */
export type Verdict = 'dead' | 'suspect'

/** The status that declares a device token dead; Apple's successor to its feedback service. */
const STATUS_GONE = 410

/** Judges a device token by an outcome; null where that says nothing about it. */
export function verdictOn({ status, reason }: OutcomeDetail): Verdict | null {
  if (status === STATUS_GONE) return 'dead'
  return status === 400 && isSuspectReason(reason) ? 'suspect' : null
}
