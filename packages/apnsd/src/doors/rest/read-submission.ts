import { startDigest } from '../../base/digest.ts'
import { ApnsdError } from '../../base/errors.ts'
import type { JsonObject } from '../../core/notifications/payload.ts'
import type { NotificationRequest } from '../../core/notifications/request.ts'
import type { SubmissionOptions } from '../../core/provider-requests.ts'
import type { NotificationBody, Submission } from './notification-schemas.ts'

/** Date and time with an offset. [RFC 3339 §5.6] */
const TIME = /^\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:[Zz]|[+-]\d\d:\d\d)$/

/**
 * Reads the notifications of a submission, in whichever of its three forms.
 * @throws {ApnsdError} invalid-argument
 */
export function readRequests(body: Submission): NotificationRequest[] {
  const { token, tokens, notifications, payload } = body
  const forms = [token, tokens, notifications].filter((form) => form !== undefined)
  if (forms.length !== 1)
    throw new ApnsdError(
      'invalid-argument',
      'A submission has either `token`, or `tokens`, or `notifications`.',
    )
  if (notifications !== undefined) {
    refuseSharedFields(body)
    return notifications.map(readRequest)
  }
  if (payload === undefined)
    throw new ApnsdError('invalid-argument', 'There is no `payload`.', { place: '/payload' })
  const shared = { ...readHeaders(body), payload: payload as JsonObject }
  return (tokens ?? [token ?? '']).map((deviceToken) => ({ deviceToken, ...shared }))
}

/** Beside `notifications`, where each has its own, they would be silently without effect. */
function refuseSharedFields(body: Submission): void {
  const names = ['payload', 'pushType', 'topic', 'priority', 'expiration', 'collapseId'] as const
  const name = names.find((one) => body[one] !== undefined)
  if (name === undefined) return
  throw new ApnsdError('invalid-argument', `\`${name}\` stands beside \`notifications\`.`, {
    place: `/${name}`,
    hint: 'Put it into each notification.',
  })
}

export function readRequest(body: NotificationBody): NotificationRequest {
  return {
    deviceToken: body.token,
    payload: body.payload as JsonObject,
    ...readHeaders(body),
  }
}

type Headers = Pick<
  NotificationBody,
  'pushType' | 'topic' | 'priority' | 'expiration' | 'collapseId'
>

const readHeaders = ({ pushType, topic, priority, expiration, collapseId }: Headers) => ({
  pushType,
  topic,
  priority,
  expirationEpochS: expiration,
  collapseId,
})

/** @throws {ApnsdError} invalid-argument */
export function readOptions(body: {
  sendAt?: string
  ttl?: number | string
  rate?: number | string
}): SubmissionOptions {
  return {
    sendAtMs: readTime(body.sendAt),
    ttlS: readNumber('ttl', body.ttl),
    ratePerS: readNumber('rate', body.rate),
  }
}

/** Makes a repeated call known by its key and by what it said. */
export function readIdempotency(
  key: string | undefined,
  body: unknown,
): { key: string; digest: string } | undefined {
  if (key === undefined) return undefined
  return { key, digest: startDigest().update(JSON.stringify(body)).digest('hex') }
}

function readTime(text: string | undefined): number | undefined {
  if (text === undefined) return undefined
  const ms = TIME.test(text) ? Date.parse(text) : Number.NaN
  if (!Number.isNaN(ms)) return ms
  throw new ApnsdError('invalid-argument', 'The time is not written like 2026-11-24T18:00:00Z.', {
    place: '/sendAt',
  })
}

function readNumber(name: string, value: number | string | undefined): number | undefined {
  if (value === undefined || typeof value === 'number') return value
  const number = value.trim() === '' ? Number.NaN : Number(value)
  if (Number.isFinite(number)) return number
  throw new ApnsdError('invalid-argument', `The ${name} is not a number.`, { place: `/${name}` })
}
