/** Device tokens by which the counterpart knows the notifications that are timed. */

const DEVICE_TOKEN_DIGITS = 64
/** What they begin with; no device token of the others does, since each of those is a hash that is known. */
export const MARK = 'c0ffee00'
export const MARKED_DIGITS = DEVICE_TOKEN_DIGITS - MARK.length

export function markedDeviceToken(number: number): string {
  return MARK + String(number).padStart(MARKED_DIGITS, '0')
}
