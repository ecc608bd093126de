import { ApnsdError } from '../../base/errors.ts'
import type { JsonObject } from '../../core/notifications/payload.ts'
import type { NotificationRequest } from '../../core/notifications/request.ts'
import {
  Base64,
  DateTime,
  isStruct,
  nameType,
  type XmlRpcStruct,
  type XmlRpcValue,
} from './values.ts'

/**
 * Pairs the device tokens of a `notify` with its notifications.
 *
 * | device tokens | notifications | sends                                     |
 * |---------------|---------------|-------------------------------------------|
 * | string        | struct        | one                                       |
 * | string        | [struct]      | one: what pyapns' own Ruby client sends   |
 * | list          | struct        | it to each, as the same object            |
 * | list          | list          | pairs by position; uneven ones are a fault |
 *
 * pyapns cut the longer list silently, and failed at the second and third.
 * @param isJson true where no value of the call is one that JSON lacks, which spares looking for it.
 * @throws {ApnsdError} invalid-argument, invalid-payload
 */
export function pairNotifications(
  deviceTokens: XmlRpcValue,
  notifications: XmlRpcValue,
  isJson: boolean,
): NotificationRequest[] {
  const tokens = readDeviceTokens(deviceTokens)
  if (isStruct(notifications)) {
    const payload = readPayload(notifications, 'The payload', isJson)
    return tokens.map((deviceToken) => ({ deviceToken, payload }))
  }
  if (!Array.isArray(notifications)) {
    throw new ApnsdError(
      'invalid-argument',
      `The notifications are ${nameType(notifications)}; they must be a struct or an array of structs.`,
    )
  }
  if (tokens.length !== notifications.length) refuseUneven(tokens.length, notifications.length)
  const requests: NotificationRequest[] = []
  for (const [index, deviceToken] of tokens.entries()) {
    const payload = readNotification(notifications, index, isJson)
    requests.push({ deviceToken, payload })
  }
  return requests
}

function readDeviceTokens(value: XmlRpcValue): string[] {
  if (typeof value === 'string') return [value]
  if (!Array.isArray(value)) {
    throw new ApnsdError(
      'invalid-argument',
      `The device tokens are ${nameType(value)}; they must be a string or an array of strings.`,
    )
  }
  for (const [index, deviceToken] of value.entries()) {
    if (typeof deviceToken === 'string') continue
    throw new ApnsdError(
      'invalid-argument',
      `Device token ${index + 1} of ${value.length} is ${nameType(deviceToken)}; it must be a string.`,
      { place: `/deviceTokens/${index}` },
    )
  }
  return value as string[]
}

function refuseUneven(tokens: number, notifications: number): never {
  throw new ApnsdError(
    'invalid-argument',
    `The lists differ in length: device tokens ${tokens}, notifications ${notifications}.`,
    { hint: 'Send as many of each, or a single struct for all device tokens.' },
  )
}

function readNotification(list: XmlRpcValue[], index: number, isJson: boolean): JsonObject {
  const value = list[index] ?? null
  const position = `${index + 1} of ${list.length}`
  if (isStruct(value)) return readPayload(value, `The payload of notification ${position}`, isJson)
  throw new ApnsdError(
    'invalid-argument',
    `Notification ${position} is ${nameType(value)}; it must be a struct.`,
    { place: `/notifications/${index}` },
  )
}

function readPayload(struct: XmlRpcStruct, subject: string, isJson: boolean): JsonObject {
  if (!isJson) refuseForeign(struct, [], subject)
  return struct as JsonObject
}

/** Walks a payload for what JSON cannot say, and names it by its path: `aps.alert.when`. The parser has bounded its depth. */
function refuseForeign(value: XmlRpcValue, path: string[], subject: string): void {
  const what = describeForeign(value)
  if (what !== undefined) {
    throw new ApnsdError(
      'invalid-payload',
      `${subject} holds ${what} at ${path.join('.')}, which JSON cannot say.`,
      { hint: 'Send it as a string or an int.' },
    )
  }
  if (Array.isArray(value)) {
    for (const [index, item] of value.entries()) refuseForeign(item, [...path, `${index}`], subject)
  } else if (isStruct(value)) {
    for (const [name, item] of Object.entries(value)) refuseForeign(item, [...path, name], subject)
  }
}

function describeForeign(value: XmlRpcValue): string | undefined {
  if (value instanceof DateTime || value instanceof Base64) return nameType(value)
  if (typeof value !== 'number' || Number.isFinite(value)) return undefined
  return Number.isNaN(value) ? 'a double that is no number' : 'an infinite double'
}
