/**
 * The numbers on the wire of HTTP/2 frames: types, flags, settings, and the sizes that the RFC fixes.
 *
 * Every frame starts with these nine bytes:
 *
 *     +-----------------------------------------------+
 *     | Length (24), of the payload alone             |
 *     +---------------+---------------+---------------+
 *     | Type (8)      | Flags (8)     |
 *     +-+-------------+---------------+-------------------------------+
 *     |R| Stream Identifier (31); 0: the connection                   |
 *     +-+-------------------------------------------------------------+
 *     | Payload (Length) …
 *
 * @see RFC 9113 §4.1, §6, §6.5.2
 */

export const FRAME_HEADER_BYTES = 9

export const DATA = 0x0
export const HEADERS = 0x1
export const PRIORITY = 0x2
export const RST_STREAM = 0x3
export const SETTINGS = 0x4
export const PUSH_PROMISE = 0x5
export const PING = 0x6
export const GOAWAY = 0x7
export const WINDOW_UPDATE = 0x8
export const CONTINUATION = 0x9

const NAMES = [
  'DATA',
  'HEADERS',
  'PRIORITY',
  'RST_STREAM',
  'SETTINGS',
  'PUSH_PROMISE',
  'PING',
  'GOAWAY',
  'WINDOW_UPDATE',
  'CONTINUATION',
]

/** Writes a frame type as the RFC spells it, or as `type 0x2a` where it is none of the RFC's. */
export function formatFrameType(type: number): string {
  return NAMES[type] ?? `type 0x${type.toString(16)}`
}

/** On DATA and HEADERS: the peer sends no more on this stream. */
export const FLAG_END_STREAM = 0x1
/** On SETTINGS and PING: an answer. */
export const FLAG_ACK = 0x1
/** On HEADERS and CONTINUATION: the header block ends here. */
export const FLAG_END_HEADERS = 0x4
/** On DATA and HEADERS: a byte with the padding's length comes first, the padding last. */
export const FLAG_PADDED = 0x8
/** On HEADERS: five bytes of priority, which RFC 9113 deprecates, come before the block. */
export const FLAG_PRIORITY = 0x20

export const SETTINGS_HEADER_TABLE_SIZE = 0x1
export const SETTINGS_ENABLE_PUSH = 0x2
export const SETTINGS_MAX_CONCURRENT_STREAMS = 0x3
export const SETTINGS_INITIAL_WINDOW_SIZE = 0x4
export const SETTINGS_MAX_FRAME_SIZE = 0x5
export const SETTINGS_MAX_HEADER_LIST_SIZE = 0x6

/** The largest 31-bit number: the last stream identifier, and the widest flow-control window. */
export const MAX_31_BIT = 2 ** 31 - 1
/** What SETTINGS_MAX_FRAME_SIZE is until it is set, and the least it may be set to. */
export const MIN_MAX_FRAME_BYTES = 2 ** 14
/** The most that SETTINGS_MAX_FRAME_SIZE may be set to. */
export const MAX_MAX_FRAME_BYTES = 2 ** 24 - 1
/** How wide every flow-control window is until SETTINGS or WINDOW_UPDATE say otherwise. [RFC 9113 §6.9.2] */
export const INITIAL_WINDOW_BYTES = 65_535
export const PING_BYTES = 8
