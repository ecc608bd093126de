import {
  type AuthenticationWorld,
  authenticate,
  type ConnectionCredentials,
  type Grant,
  type ProviderTokenBinding,
} from './authentication.ts'
import { bundleIdOfTopic, PUSH_TYPES, ruleOfTopic, topicFitsPushType } from './push-types.ts'
import { REASON_STATUS, type Reason } from './reasons.ts'

const PATH_PREFIX = '/3/device/'
/** Apple's tokens have had 32 bytes and its last binary guide allowed 100; shorter ones were never seen. */
const DEVICE_TOKEN = /^(?:[0-9a-f]{2}){32,100}$/
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i
/** Seconds. More digits than this would be milliseconds; that Apple refuses those is our inference. */
const EXPIRATION = /^\d{1,10}$/
const PRIORITY = /^(?:10|5|1)$/
const TOPIC = /^[A-Za-z0-9._-]{1,255}$/
const MAX_COLLAPSE_ID_BYTES = 64

/** Holds one request as it came off the wire, whole. */
export interface PushRequest {
  /** Every field, pseudo-headers included. */
  headers: Readonly<Record<string, string>>
  /** Whether a field came more than once. */
  hasDuplicateHeaders: boolean
  payloadBytes: number
}

/** Tells since when, and why, a device token takes nothing. */
export interface Death {
  reason: 'Unregistered' | 'ExpiredToken'
  timestampMs: number
}

/** Holds what validation needs of the simulator. */
export interface World extends AuthenticationWorld {
  /** Device tokens come in lower case. */
  deathOf(deviceToken: string): Death | undefined
  /** Bundle ID that the device token was first used with; undefined when it is new. */
  bundleIdOf(deviceToken: string): string | undefined
}

/** Says what is answered to a request. */
export interface Answer {
  status: number
  /** Apple's reason, or what a script says; null with status 200. */
  reason: string | null
  /** Since when the device token is dead; only with status 410. */
  timestampMs: number | null
  /** Value of `retry-after`. Only scripts set it: Apple documents no such field. */
  retryAfterS: number | null
}

/** Holds an answer, and what the simulator has to remember of the request that got it. */
export interface Verdict {
  answer: Answer
  /** Topic that the request named or that its certificate gave it; null before that is known. */
  topic: string | null
  /** Provider token that the connection goes by from now on. */
  binding: ProviderTokenBinding | null
  /** Whether the request brought a good provider token or came over a good certificate. */
  authenticated: boolean
}

/** The answer of a request that is taken. */
export const ACCEPTED: Answer = { status: 200, reason: null, timestampMs: null, retryAfterS: null }

/**
 * Decides what Apple would answer to a request. Pure: what is to be remembered is in the verdict.
 *
 * The order in which Apple checks is not documented. Ours is an inference, from the outside in, so that a request with
 * several faults is told the outermost one:
 *
 *  1. address        MethodNotAllowed, BadPath, MissingDeviceToken, DuplicateHeaders
 *  2. who is asking  BadCertificate, BadCertificateEnvironment; MissingProviderToken, InvalidProviderToken,
 *                    ExpiredProviderToken, UnrelatedKeyIdInToken, TooManyProviderTokenUpdates, BadEnvironmentKeyInToken
 *  3. header fields  BadMessageId, BadExpirationDate, InvalidPushType, BadPriority, BadCollapseId
 *  4. topic          MissingTopic, BadTopic, TopicDisallowed
 *  5. device token   BadDeviceToken, Unregistered, ExpiredToken, DeviceTokenNotForTopic
 *  6. payload        PayloadEmpty, PayloadTooLarge
 */
export function validate(
  request: PushRequest,
  connection: ConnectionCredentials,
  world: World,
  nowMs: number,
): Verdict {
  const { headers } = request
  const misaddressed = checkAddress(request)
  if (misaddressed !== null) return refuse(misaddressed, connection)
  const grant = authenticate(headers['authorization'], connection, world, nowMs)
  if (typeof grant === 'string') return refuse(grant, connection)
  const topic = headers['apns-topic'] ?? grant.defaultTopic
  const reason = checkFields(headers) ?? checkTopic(topic, headers['apns-push-type'], grant)
  const answer =
    reason === null && topic !== null
      ? (checkDevice(deviceTokenOf(headers), topic, world) ?? checkPayload(request, topic))
      : rejection(reason ?? 'MissingTopic')
  return { answer, topic, binding: grant.binding, authenticated: true }
}

/** Makes the answer for one of Apple's reasons. */
export function rejection(reason: Reason, timestampMs: number | null = null): Answer {
  return { status: REASON_STATUS[reason], reason, timestampMs, retryAfterS: null }
}

/** Cuts the device token out of the path, in lower case; empty when the path has none. */
export function deviceTokenOf(headers: PushRequest['headers']): string {
  const path = headers[':path'] ?? ''
  return path.startsWith(PATH_PREFIX) ? path.slice(PATH_PREFIX.length).toLowerCase() : ''
}

function refuse(reason: Reason, { binding }: ConnectionCredentials): Verdict {
  return { answer: rejection(reason), topic: null, binding, authenticated: false }
}

function checkAddress({ headers, hasDuplicateHeaders }: PushRequest): Reason | null {
  if (headers[':method'] !== 'POST') return 'MethodNotAllowed'
  const path = headers[':path'] ?? ''
  if (path === PATH_PREFIX || `${path}/` === PATH_PREFIX) return 'MissingDeviceToken'
  if (!path.startsWith(PATH_PREFIX) || path.includes('/', PATH_PREFIX.length)) return 'BadPath'
  return hasDuplicateHeaders ? 'DuplicateHeaders' : null
}

function checkFields(headers: PushRequest['headers']): Reason | null {
  if (!matches(headers['apns-id'], UUID)) return 'BadMessageId'
  if (!matches(headers['apns-expiration'], EXPIRATION)) return 'BadExpirationDate'
  const pushType = headers['apns-push-type']
  if (pushType !== undefined && !PUSH_TYPES.has(pushType)) return 'InvalidPushType'
  if (!priorityFits(headers['apns-priority'], pushType)) return 'BadPriority'
  const collapseId = headers['apns-collapse-id']
  const fits = collapseId === undefined || Buffer.byteLength(collapseId) <= MAX_COLLAPSE_ID_BYTES
  return fits ? null : 'BadCollapseId'
}

/** Background with the default priority of 10 passes: Apple calls only the explicit 10 an error. */
function priorityFits(priority: string | undefined, pushType: string | undefined): boolean {
  return matches(priority, PRIORITY) && !(pushType === 'background' && priority === '10')
}

function matches(value: string | undefined, pattern: RegExp): boolean {
  return value === undefined || pattern.test(value)
}

function checkTopic(
  topic: string | null,
  pushType: string | undefined,
  grant: Grant,
): Reason | null {
  if (topic === null) return 'MissingTopic'
  if (!TOPIC.test(topic) || !topicFitsPushType(topic, pushType)) return 'BadTopic'
  return grantCovers(grant, topic) ? null : 'TopicDisallowed'
}

/** A certificate lists whole topics; a key is given bundle IDs, and covers every push type of them. */
function grantCovers({ topics, by }: Grant, topic: string): boolean {
  if (by === 'certificate' && ruleOfTopic(topic).providerTokenOnly) return false
  if (topics === null || topics.includes(topic)) return true
  return by === 'providerToken' && topics.includes(bundleIdOfTopic(topic))
}

function checkDevice(deviceToken: string, topic: string, world: World): Answer | null {
  if (!DEVICE_TOKEN.test(deviceToken)) return rejection('BadDeviceToken')
  const death = world.deathOf(deviceToken)
  if (death !== undefined) return rejection(death.reason, death.timestampMs)
  const bundleId = world.bundleIdOf(deviceToken)
  const foreign = bundleId !== undefined && bundleId !== bundleIdOfTopic(topic)
  return foreign ? rejection('DeviceTokenNotForTopic') : null
}

function checkPayload({ headers, payloadBytes }: PushRequest, topic: string): Answer {
  if (payloadBytes === 0) return rejection('PayloadEmpty')
  const rule = PUSH_TYPES.get(headers['apns-push-type'] ?? '') ?? ruleOfTopic(topic)
  return payloadBytes > rule.maxPayloadBytes ? rejection('PayloadTooLarge') : ACCEPTED
}
