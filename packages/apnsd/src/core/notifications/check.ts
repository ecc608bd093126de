import { PUSH_TYPES } from '@apnsd/apns'
import type { ErrorCode } from '../../base/errors.ts'
import { parseDeviceToken } from './device-token.ts'
import { checkHeaders, type Headers, hasSameHeaders } from './headers.ts'
import { encodePayload, type JsonObject } from './payload.ts'
import { isRefusal, type Refusal, type Verdict } from './refusal.ts'
import type { NotificationRequest } from './request.ts'

/** A payload that Apple would take, encoded, with the headers that go with it. */
export interface CheckedPayload {
  readonly bytes: Uint8Array
  readonly headers: Headers
}

/** A notification that Apple has no reason to refuse, as far as can be told here. */
export interface CheckedNotification {
  /** Its place among those that were handed in. */
  readonly index: number
  readonly deviceToken: string
  /** The same object for notifications that share their payload. */
  readonly payload: CheckedPayload
}

export interface Checked {
  readonly taken: CheckedNotification[]
  readonly refused: Refusal[]
}

/**
 * Checks notifications as Apple would, before any of them is taken.
 * @param topic the app's topic, from which some headers follow
 * @param requests among them, where they came as text, what could not be read: that is refused as it says
 * @param firstIndex the place of the first of them
 * @returns both lists in order; payloads that were one object with the same headers are one object again
 */
export function checkNotifications(
  topic: string,
  requests: readonly (NotificationRequest | Omit<Refusal, 'index'>)[],
  firstIndex = 0,
): Checked {
  const checked = new Map<JsonObject, { request: NotificationRequest; payload: CheckedPayload }>()
  const taken: CheckedNotification[] = []
  const refused: Refusal[] = []
  requests.forEach((request, position) => {
    const index = firstIndex + position
    if (isRefusal(request)) {
      refused.push({ index, ...request })
      return
    }
    const parse = parseDeviceToken(request.deviceToken)
    if ('problem' in parse) {
      const detail = `The device token ${parse.problem}.`
      refused.push({ index, code: 'invalid-device-token', detail, field: 'deviceToken' })
      return
    }
    const known = checked.get(request.payload)
    const isKnown = known !== undefined && hasSameHeaders(known.request, request)
    const payload = isKnown ? known.payload : checkPayload(topic, request)
    if (isRefusal(payload)) {
      refused.push({ index, ...payload })
      return
    }
    if (!isKnown) checked.set(request.payload, { request, payload })
    taken.push({ index, deviceToken: parse.deviceToken, payload })
  })
  return { taken, refused }
}

function checkPayload(topic: string, request: NotificationRequest): Verdict<CheckedPayload> {
  const headers = checkHeaders(topic, request)
  if (isRefusal(headers)) return headers
  const { payload } = request
  const refuse = (code: ErrorCode, detail: string) => ({ code, detail, field: 'payload' }) as const
  const aps = payload['aps']
  if (aps !== undefined && (typeof aps !== 'object' || aps === null))
    return refuse('invalid-payload', 'The payload has an `aps` that is no dictionary.')
  const bytes = encodePayload(payload)
  const { maxPayloadBytes } = PUSH_TYPES[headers.pushType]
  if (bytes.length > maxPayloadBytes)
    return refuse(
      'payload-too-large',
      `The payload has ${bytes.length} bytes; Apple takes at most ${maxPayloadBytes} with push type ${headers.pushType}.`,
    )
  return { bytes, headers }
}
