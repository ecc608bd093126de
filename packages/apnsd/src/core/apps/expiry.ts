import type { App } from './app.ts'

/** Something about an app that its operator should see to, though it still works. */
export interface AppWarning {
  readonly code: AppWarningCode
  /** One sentence: what is wrong and what to do. */
  readonly detail: string
}

export const APP_WARNING_CODES = [
  'certificate-expires',
  'certificate-expired',
  'credential-file-unusable',
] as const
export type AppWarningCode = (typeof APP_WARNING_CODES)[number]

const DAY_MS = 86_400_000
/** So many days before its end a certificate is warned of, the most urgent first. */
const WARNING_DAYS = [1, 7, 30] as const

/** How near the end of a certificate is: the days of the warning that is due, 0 once it has ended. */
export type ExpiryStage = 0 | (typeof WARNING_DAYS)[number]

/** Says which warning is due for a certificate; null while there is none. */
export function expiryStage(notAfterMs: number, nowMs: number): ExpiryStage | null {
  const leftMs = notAfterMs - nowMs
  if (leftMs < 0) return 0
  return WARNING_DAYS.find((days) => leftMs <= days * DAY_MS) ?? null
}

/** Warns of the end of an app's certificate; null where it has none, or the end is far. */
export function expiryWarning(
  { credential, credentialFile }: App,
  nowMs: number,
): AppWarning | null {
  if (credential.type !== 'certificate') return null
  const { notAfterMs } = credential
  const stage = expiryStage(notAfterMs, nowMs)
  if (stage === null) return null
  const day = new Date(notAfterMs).toISOString().slice(0, 10)
  const advice =
    credentialFile === undefined
      ? 'Renew it in the Apple developer account and provision the app with it.'
      : `Renew it in the Apple developer account and put it into ${credentialFile}.`
  if (stage === 0)
    return {
      code: 'certificate-expired',
      detail: `The certificate ended on ${day}; Apple takes nothing with it any more. ${advice}`,
    }
  return {
    code: 'certificate-expires',
    detail: `The certificate ends on ${day}, ${formatLeft(notAfterMs - nowMs)} from now. ${advice}`,
  }
}

function formatLeft(leftMs: number): string {
  const days = Math.floor(leftMs / DAY_MS)
  if (days === 0) return 'less than a day'
  return days === 1 ? '1 day' : `${days} days`
}
