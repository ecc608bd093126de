import type { RequestStream } from './http2/request-stream.ts'

/** Apple's answer: taken. Not a promise that the device gets it. */
export interface Accepted {
  readonly type: 'accepted'
  readonly apnsId: string
  /** Sandbox only: the key to the delivery log in Apple's push console. */
  readonly uniqueId: string | null
}

/** Apple's answer: not taken, and why. */
export interface Rejected {
  readonly type: 'rejected'
  readonly apnsId: string
  readonly status: number
  /** Verbatim; empty where the body had none. {@link factsOfReason} says what it asks of us. */
  readonly reason: string
  /** With status 410: the last moment at which Apple knew the device token to be dead, ms since the epoch. */
  readonly timestampMs: number | null
  /** Apple has never been seen to send it; honoured where it comes. */
  readonly retryAfterS: number | null
}

/** No answer: the peer provably did not process it, so sending it again can make no duplicate. */
export interface NotProcessed {
  readonly type: 'notProcessed'
  readonly cause: string
}

/** No answer: it was sent, and the peer may or may not have processed it. */
export interface InDoubt {
  readonly type: 'inDoubt'
  readonly cause: string
}

/** It cannot be sent as it is, now or later: a header field that is none. Nothing was sent. */
export interface Invalid {
  readonly type: 'invalid'
  readonly cause: string
}

export type Answer = Accepted | Rejected
/** What can come of handing a notification to the wire: exactly one of these. */
export type SendResult = Answer | NotProcessed | InDoubt | Invalid

/** The one status that means: taken. */
export const STATUS_ACCEPTED = 200

/** The fields of an answer that {@link parseAnswer} makes use of. */
export const ANSWER_FIELDS: ReadonlySet<string> = new Set(['apns-unique-id', 'retry-after'])

/** Reads Apple's answer to the request that carried `apnsId`. A body that is no JSON object counts as no reason. */
export function parseAnswer(
  { status, fields, body }: Pick<RequestStream, 'status' | 'fields' | 'body'>,
  apnsId: string,
): Answer {
  if (status === STATUS_ACCEPTED)
    return { type: 'accepted', apnsId, uniqueId: fields?.['apns-unique-id'] ?? null }
  const { reason, timestamp } = parseBody(body)
  return {
    type: 'rejected',
    apnsId,
    status,
    reason: typeof reason === 'string' ? reason : '',
    timestampMs: typeof timestamp === 'number' && Number.isFinite(timestamp) ? timestamp : null,
    retryAfterS: parseRetryAfter(fields?.['retry-after']),
  }
}

function parseBody(body: string): { reason?: unknown; timestamp?: unknown } {
  try {
    const parsed: unknown = JSON.parse(body)
    return typeof parsed === 'object' && parsed !== null ? parsed : {}
  } catch {
    return {} // a rejection without a readable reason is still a rejection: its status decides
  }
}

function parseRetryAfter(field: string | undefined): number | null {
  if (field === undefined || !/^\d{1,9}$/.test(field)) return null
  return Number(field)
}
