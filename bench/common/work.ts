/** The work that every contestant does: 1000 device tokens in turn, one payload, an `apns-id` each. */
import { createHash } from 'node:crypto'
import { join } from 'node:path'

/** So many are under way at a time: the stream limit that Apple announces. [field] */
export const IN_FLIGHT = 1000

const DEVICE_TOKEN_COUNT = 1000
/** The same in every process, without a file that says them. */
export const DEVICE_TOKENS: readonly string[] = Array.from(
  { length: DEVICE_TOKEN_COUNT },
  (_, index) => createHash('sha256').update(`device ${index}`).digest('hex'),
)

export const APS = {
  alert: { title: 'Hello', body: 'Your order 12345 has shipped and will arrive on Monday' },
  badge: 3,
  sound: 'default',
}
/** What an application adds beside `aps`. */
export const OWN_DATA = { order: 123456 }
export const PAYLOAD = JSON.stringify({ aps: APS, ...OWN_DATA })
/** Whatever a contestant's library makes of the fields above must have as many. */
export const PAYLOAD_BYTES = 142

export const TOPIC = 'com.example.app'
export const PUSH_TYPE = 'alert'
export const PRIORITY = 10
export const KEY_ID = 'ABC123DEFG'
export const TEAM_ID = 'DEF123GHIJ'

export function deviceTokenOf(index: number): string {
  return DEVICE_TOKENS[index % DEVICE_TOKEN_COUNT] ?? ''
}

const APNS_ID_START = '123e4567-e89b-42d3-a456-'
const INDEX_DIGITS = 12
/** 1, then as many noughts as the index has digits. */
const INDEX_BASE = 10 ** INDEX_DIGITS

/** A UUID that ends with the notification's index. */
export function apnsIdOf(index: number): string {
  return APNS_ID_START + String(INDEX_BASE + index).slice(1)
}

/** Whether an `apns-id` is that of the notification at `index`; makes no string, since it runs for each outcome. */
export function isApnsIdOf(apnsId: string, index: number): boolean {
  if (apnsId.length !== APNS_ID_START.length + INDEX_DIGITS) return false
  let number = 0
  for (let at = APNS_ID_START.length; at < apnsId.length; at += 1)
    number = number * 10 + apnsId.charCodeAt(at) - 48
  return number === index
}

/** The files that a run's processes share, in a folder of its own. */
export const FILES = {
  authority: (folder: string): string => join(folder, 'authority.pem'),
  signingKey: (folder: string): string => join(folder, 'signing-key.p8'),
  payload: (folder: string): string => join(folder, 'payload.json'),
  documents: (folder: string): string => join(folder, 'documents'),
}
