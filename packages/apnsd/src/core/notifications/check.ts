import { PUSH_TYPES } from '@apnsd/apns'
import { ApnsdError, type ErrorCode } from '../../base/errors.ts'
import type { NotificationRequest } from '../provider-requests.ts'
import { parseDeviceToken } from './device-token.ts'
import { type DerivedHeaders, deriveHeaders } from './headers.ts'
import { encodePayload, type JsonObject } from './payload.ts'

/** A payload that Apple would take, encoded, with the headers that follow from it. */
export interface CheckedPayload {
  readonly bytes: Uint8Array
  readonly headers: DerivedHeaders
}

/** A notification that Apple has no reason to refuse, as far as can be told here. */
export interface CheckedNotification {
  readonly deviceToken: string
  /** The same object for notifications that share their payload. */
  readonly payload: CheckedPayload
}

/**
 * Checks notifications as Apple would, before any of them is taken.
 * @param topic the app's topic, from which some headers follow
 * @returns them in order; payloads that were one object are one object again
 * @throws {ApnsdError} invalid-device-token, invalid-payload, payload-too-large, naming the first that is wrong
 */
export function checkNotifications(
  topic: string,
  requests: readonly NotificationRequest[],
): CheckedNotification[] {
  const checked = new Map<JsonObject, CheckedPayload>()
  return requests.map((request, index) => {
    const refuse = (code: ErrorCode, problem: string, part: keyof NotificationRequest): never => {
      const subject = part === 'deviceToken' ? 'Device token' : 'The payload of notification'
      throw new ApnsdError(code, `${subject} ${index + 1} of ${requests.length} ${problem}.`, {
        place: `/notifications/${index}/${part}`,
      })
    }
    const parse = parseDeviceToken(request.deviceToken)
    if ('problem' in parse) return refuse('invalid-device-token', parse.problem, 'deviceToken')
    let payload = checked.get(request.payload)
    if (payload === undefined) {
      payload = checkPayload(topic, request.payload, refuse)
      checked.set(request.payload, payload)
    }
    return { deviceToken: parse.deviceToken, payload }
  })
}

function checkPayload(
  topic: string,
  payload: JsonObject,
  refuse: (code: ErrorCode, problem: string, part: keyof NotificationRequest) => never,
): CheckedPayload {
  const headers = deriveHeaders(topic, payload)
  const bytes = encodePayload(payload)
  const { maxPayloadBytes } = PUSH_TYPES[headers.pushType]
  if (bytes.length > maxPayloadBytes) {
    const most = `Apple takes at most ${maxPayloadBytes} with push type ${headers.pushType}`
    return refuse('payload-too-large', `has ${bytes.length} bytes; ${most}`, 'payload')
  }
  if ('aps' in payload && (typeof payload['aps'] !== 'object' || payload['aps'] === null))
    return refuse('invalid-payload', 'has an `aps` that is no dictionary', 'payload')
  return { bytes, headers }
}
