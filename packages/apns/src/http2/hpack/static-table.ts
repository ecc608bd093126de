/** Names and values, from index 1 on. [RFC 7541 appendix A] */
const STATIC_FIELDS: readonly (readonly [name: string, value: string])[] = [
  [':authority', ''],
  [':method', 'GET'],
  [':method', 'POST'],
  [':path', '/'],
  [':path', '/index.html'],
  [':scheme', 'http'],
  [':scheme', 'https'],
  [':status', '200'],
  [':status', '204'],
  [':status', '206'],
  [':status', '304'],
  [':status', '400'],
  [':status', '404'],
  [':status', '500'],
  ['accept-charset', ''],
  ['accept-encoding', 'gzip, deflate'],
  ['accept-language', ''],
  ['accept-ranges', ''],
  ['accept', ''],
  ['access-control-allow-origin', ''],
  ['age', ''],
  ['allow', ''],
  ['authorization', ''],
  ['cache-control', ''],
  ['content-disposition', ''],
  ['content-encoding', ''],
  ['content-language', ''],
  ['content-length', ''],
  ['content-location', ''],
  ['content-range', ''],
  ['content-type', ''],
  ['cookie', ''],
  ['date', ''],
  ['etag', ''],
  ['expect', ''],
  ['expires', ''],
  ['from', ''],
  ['host', ''],
  ['if-match', ''],
  ['if-modified-since', ''],
  ['if-none-match', ''],
  ['if-range', ''],
  ['if-unmodified-since', ''],
  ['last-modified', ''],
  ['link', ''],
  ['location', ''],
  ['max-forwards', ''],
  ['proxy-authenticate', ''],
  ['proxy-authorization', ''],
  ['range', ''],
  ['referer', ''],
  ['refresh', ''],
  ['retry-after', ''],
  ['server', ''],
  ['set-cookie', ''],
  ['strict-transport-security', ''],
  ['transfer-encoding', ''],
  ['user-agent', ''],
  ['vary', ''],
  ['via', ''],
  ['www-authenticate', ''],
]

/** How many entries there are: the dynamic table begins at index 62. */
export const STATIC_LENGTH = STATIC_FIELDS.length

/** By index, 1 to 61; index 0 is none. */
export const STATIC_NAMES: readonly string[] = ['', ...STATIC_FIELDS.map(([name]) => name)]
/** By index, 1 to 61; empty where the table gives a name only. */
export const STATIC_VALUES: readonly string[] = ['', ...STATIC_FIELDS.map(([, value]) => value)]

/** Finds the first entry of a name: its index, 1 to 61, or 0. */
export function staticNameIndex(name: string): number {
  return Math.max(0, STATIC_NAMES.indexOf(name, 1))
}

/** Finds the entry of a name and value, both as they are: its index, 1 to 61, or 0. */
export function staticFieldIndex(name: string, value: string): number {
  for (let index = 1; index <= STATIC_LENGTH; index++)
    if (STATIC_NAMES[index] === name && STATIC_VALUES[index] === value) return index
  return 0
}
