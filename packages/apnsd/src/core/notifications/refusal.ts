import type { ErrorCode } from '../../base/errors.ts'
import type { NotificationRequest } from './request.ts'

/** A notification that was not taken. */
export interface Refusal {
  /** Its place among those that were handed in. */
  readonly index: number
  readonly code: ErrorCode
  /** One sentence: `The payload has 4097 bytes; …`. */
  readonly detail: string
  /** Which of its fields is at fault. */
  readonly field: keyof NotificationRequest
}

/** What a check finds, or why it refuses. */
export type Verdict<T> = T | Omit<Refusal, 'index'>

export const isRefusal = (verdict: object): verdict is Omit<Refusal, 'index'> => 'detail' in verdict
