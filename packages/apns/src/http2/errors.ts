/** The error codes of RST_STREAM and GOAWAY [RFC 9113 §7], 32 bits on the wire. A peer may send others. */
export type ErrorCode = number

export const NO_ERROR = 0x0
export const PROTOCOL_ERROR = 0x1
export const INTERNAL_ERROR = 0x2
export const FLOW_CONTROL_ERROR = 0x3
export const SETTINGS_TIMEOUT = 0x4
export const STREAM_CLOSED = 0x5
export const FRAME_SIZE_ERROR = 0x6
export const REFUSED_STREAM = 0x7
export const CANCEL = 0x8
export const COMPRESSION_ERROR = 0x9
export const CONNECT_ERROR = 0xa
export const ENHANCE_YOUR_CALM = 0xb
export const INADEQUATE_SECURITY = 0xc
export const HTTP_1_1_REQUIRED = 0xd

/** Indexed by code. */
const ERROR_CODE_NAMES = [
  'NO_ERROR',
  'PROTOCOL_ERROR',
  'INTERNAL_ERROR',
  'FLOW_CONTROL_ERROR',
  'SETTINGS_TIMEOUT',
  'STREAM_CLOSED',
  'FRAME_SIZE_ERROR',
  'REFUSED_STREAM',
  'CANCEL',
  'COMPRESSION_ERROR',
  'CONNECT_ERROR',
  'ENHANCE_YOUR_CALM',
  'INADEQUATE_SECURITY',
  'HTTP_1_1_REQUIRED',
]

/** Names an error code as RFC 9113 §7 does; one it does not know becomes `0x…`, for messages only. */
export function errorCodeName(code: ErrorCode): string {
  return ERROR_CODE_NAMES[code] ?? `0x${code.toString(16)}`
}

/**
 * Says that the peer broke the protocol, and how far the damage goes: RST_STREAM answers an error of one stream, GOAWAY
 * one of the connection. Messages hold no header value and no payload, so they may be logged.
 * @see RFC 9113 §5.4
 */
export class Http2Error extends Error {
  readonly errorCode: ErrorCode
  /** The stream that is lost; 0: the connection. */
  readonly streamId: number

  constructor(errorCode: ErrorCode, message: string, streamId = 0) {
    super(message)
    this.name = 'Http2Error'
    this.errorCode = errorCode
    this.streamId = streamId
  }
}
