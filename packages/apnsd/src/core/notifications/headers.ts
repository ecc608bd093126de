import { PUSH_TYPES, type PushType, topicFor } from '@apnsd/apns'
import { nearestName } from '../../base/nearest.ts'
import { derivePushType } from './push-type.ts'
import type { Verdict } from './refusal.ts'
import type { NotificationRequest } from './request.ts'

/** The headers that notifications with one payload share; each decided. */
export interface Headers {
  readonly pushType: PushType
  readonly priority: 10 | 5 | 1
  /** Whole, with the push type's suffix; absent: the app's own. */
  readonly topic?: string
  /** UNIX seconds; see {@link NotificationRequest}. */
  readonly expirationEpochS?: number
  readonly collapseId?: string
}

/** True where two say the same in every header, asked for or decided. */
export function hasSameHeaders(
  one: Readonly<Partial<Record<keyof Headers, unknown>>>,
  other: Readonly<Partial<Record<keyof Headers, unknown>>>,
): boolean {
  return (
    one.pushType === other.pushType &&
    one.priority === other.priority &&
    one.topic === other.topic &&
    one.expirationEpochS === other.expirationEpochS &&
    one.collapseId === other.collapseId
  )
}

const MAX_TOPIC_CHARACTERS = 256
const PRINTABLE = /^[\x21-\x7e]+$/
const MAX_COLLAPSE_ID_BYTES = 64
const CONTROL_CHARACTER = /\p{Cc}/u
/** The seconds that 32 bits hold, until 2106: what Apple's binary interface took. */
const LATEST_EXPIRATION_EPOCH_S = 2 ** 32 - 1

/** Decides every header: as it was asked for where that can be, else as the payload and the topic tell. */
export function checkHeaders(appTopic: string, request: NotificationRequest): Verdict<Headers> {
  const { topic, expirationEpochS, collapseId } = request
  const fault = findFault(request)
  if (fault !== null) return fault
  const pushType =
    request.pushType === undefined
      ? derivePushType(topic ?? appTopic, request.payload)
      : readPushType(request.pushType)
  if (typeof pushType !== 'string') return pushType
  const priority = readPriority(request.priority, pushType)
  if (typeof priority !== 'number') return priority
  return {
    pushType,
    priority,
    ...(topic === undefined ? {} : { topic: topicFor(pushType, topic) }),
    ...(expirationEpochS === undefined ? {} : { expirationEpochS }),
    ...(collapseId === undefined ? {} : { collapseId }),
  }
}

const refuse = (field: keyof NotificationRequest, detail: string) =>
  ({ code: 'invalid-argument', detail, field }) as const

function findFault({ topic, expirationEpochS, collapseId }: NotificationRequest) {
  if (topic !== undefined && (!PRINTABLE.test(topic) || topic.length > MAX_TOPIC_CHARACTERS))
    return refuse('topic', 'The topic is not 1 to 256 printable ASCII characters without blanks.')
  const isBadExpiration =
    expirationEpochS !== undefined &&
    !(
      Number.isInteger(expirationEpochS) &&
      expirationEpochS >= 0 &&
      expirationEpochS <= LATEST_EXPIRATION_EPOCH_S
    )
  if (isBadExpiration)
    return refuse('expirationEpochS', 'The expiration is not a whole number of seconds since 1970.')
  if (collapseId === undefined) return null
  const bytes = Buffer.byteLength(collapseId)
  if (bytes === 0 || bytes > MAX_COLLAPSE_ID_BYTES || CONTROL_CHARACTER.test(collapseId))
    return refuse('collapseId', 'The collapse identifier is not 1 to 64 bytes of text.')
  return null
}

function readPushType(name: string): Verdict<PushType> {
  if (Object.hasOwn(PUSH_TYPES, name)) return name as PushType
  const near = nearestName(name, Object.keys(PUSH_TYPES))
  const hint = near === undefined ? '' : ` Did you mean ${near}?`
  return refuse('pushType', `The push type is none that Apple knows.${hint}`)
}

/** 5 for `background`, where Apple refuses 10, and 10 for the rest: what is sent is to arrive. */
function readPriority(asked: number | undefined, pushType: PushType): Verdict<Headers['priority']> {
  if (asked === undefined) return pushType === 'background' ? 5 : 10
  if (asked === 10 && pushType === 'background')
    return refuse('priority', 'Apple refuses priority 10 with push type background.')
  if (asked === 10 || asked === 5 || asked === 1) return asked
  return refuse('priority', 'The priority is not 10, 5 or 1.')
}
