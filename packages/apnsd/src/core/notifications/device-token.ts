/** Apple says not to assume a size; its last binary guide allowed 100 bytes. Longer ones are surely not device tokens. */
const MAX_DEVICE_TOKEN_BYTES = 100

const HEX = /^(?:[0-9a-f]{2})+$/
const BLANKS_AND_BRACKETS = /[\s<>]/g

/** A device token in lower-case hex, or one sentence that says what is wrong with it. */
export type DeviceTokenParse = { readonly deviceToken: string } | { readonly problem: string }

/**
 * Reads a device token as people have it: hex in any case, with blanks between its bytes or in angle brackets, as old
 * logs print it.
 */
export function parseDeviceToken(text: string): DeviceTokenParse {
  const lower = text.toLowerCase()
  if (lower.length <= 2 * MAX_DEVICE_TOKEN_BYTES && HEX.test(lower)) return { deviceToken: lower }
  const deviceToken = lower.replace(BLANKS_AND_BRACKETS, '')
  if (deviceToken === '') return { problem: 'is empty' }
  if (deviceToken.length > 2 * MAX_DEVICE_TOKEN_BYTES)
    return { problem: `is longer than ${MAX_DEVICE_TOKEN_BYTES} bytes` }
  if (/[^0-9a-f]/.test(deviceToken)) return { problem: 'has a character that is no hex digit' }
  if (deviceToken.length % 2 !== 0)
    return { problem: `has an odd number of hex digits (${deviceToken.length})` }
  return { deviceToken }
}
