import type { OutcomeDetail } from './outcome.ts'

/**
 * What an outcome says about the device token.
 * - `dead`: Apple knows that it is.
 * - `suspect`: it is dead unless the app's environment or topic is wrong, which Apple's answer does not tell.
 */
export type Verdict = 'dead' | 'suspect'

/** The status that declares a device token dead; Apple's successor to its feedback service. */
const STATUS_GONE = 410

/**
 * Reasons with status 400 that a dead device token and a wrong setting have in common: it may be of the other
 * environment, or of another app.
 */
const SUSPECT_REASONS: ReadonlySet<string> = new Set(['BadDeviceToken', 'DeviceTokenNotForTopic'])

/** Judges a device token by an outcome; null where that says nothing about it. */
export function verdictOn({ status, reason, suspect }: OutcomeDetail): Verdict | null {
  // so many at once are a mix-up of environments or topics
  if (suspect === true) return null
  if (status === STATUS_GONE) return 'dead'
  return status === 400 && SUSPECT_REASONS.has(reason) ? 'suspect' : null
}
