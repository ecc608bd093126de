import { ApnsdError, type ErrorCode } from '../../base/errors.ts'
import type { NotificationRequest } from './request.ts'

/** A notification that was not taken. */
export interface Refusal {
  /** Its place among those that were handed in. */
  readonly index: number
  readonly code: ErrorCode
  /** One sentence: `The payload has 4097 bytes; …`. */
  readonly detail: string
  /** Which of its fields is at fault; null: it cannot be read at all. */
  readonly field: keyof NotificationRequest | null
}

/** What a check finds, or why it refuses. */
export type Verdict<T> = T | Omit<Refusal, 'index'>

export const isRefusal = (verdict: object): verdict is Omit<Refusal, 'index'> => 'detail' in verdict

/**
 * Makes the error that turns a whole call away for one notification in it.
 * @param total how many notifications the call has
 */
export function refusalOf({ index, code, detail, field }: Refusal, total: number): ApnsdError {
  const position = total === 1 ? '' : `Notification ${index + 1} of ${total}: `
  return new ApnsdError(code, `${position}${detail}`, {
    place: `/notifications/${index}${field === null ? '' : `/${field}`}`,
  })
}
