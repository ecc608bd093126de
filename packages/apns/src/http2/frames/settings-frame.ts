import { FLOW_CONTROL_ERROR, FRAME_SIZE_ERROR, Http2Error, PROTOCOL_ERROR } from '../errors.ts'
import type { FrameHandler, Setting } from '../frame-handler.ts'
import {
  FLAG_ACK,
  MAX_31_BIT,
  MAX_MAX_FRAME_BYTES,
  MIN_MAX_FRAME_BYTES,
  SETTINGS_ENABLE_PUSH,
  SETTINGS_INITIAL_WINDOW_SIZE,
  SETTINGS_MAX_FRAME_SIZE,
} from '../frame-types.ts'
import { decodeUint32 } from '../uint.ts'
import { checkConnectionScope } from './stream-scope.ts'

export const SETTING_BYTES = 6

/**
 * Decodes the payload of a SETTINGS frame, `bytes` from `start` to `end`: any number of
 *
 *     +-------------------------------+
 *     | Identifier (16)               |
 *     +-------------------------------+-------------------------------+
 *     | Value (32)                                                    |
 *     +---------------------------------------------------------------+
 *
 * and none at all with the flag ACK.
 *
 * @throws {Http2Error} for the connection: PROTOCOL_ERROR, FRAME_SIZE_ERROR; FLOW_CONTROL_ERROR for an
 *   INITIAL_WINDOW_SIZE past 2^31-1.
 * @see RFC 9113 §6.5
 */
export function decodeSettingsFrame(
  handler: FrameHandler,
  bytes: Uint8Array,
  start: number,
  end: number,
  flags: number,
  streamId: number,
): void {
  checkConnectionScope('SETTINGS', streamId)
  if ((flags & FLAG_ACK) !== 0) {
    if (start !== end) throw new Http2Error(FRAME_SIZE_ERROR, 'SETTINGS with ACK and a payload')
    handler.settingsAck()
    return
  }
  if ((end - start) % SETTING_BYTES !== 0)
    throw new Http2Error(FRAME_SIZE_ERROR, `SETTINGS of ${end - start} bytes`)
  const settings: Setting[] = []
  for (let offset = start; offset < end; offset += SETTING_BYTES) {
    const identifier = bytes[offset]! * 256 + bytes[offset + 1]!
    const value = decodeUint32(bytes, offset + 2)
    checkSetting(identifier, value)
    settings.push([identifier, value])
  }
  handler.settings(settings)
}

/** Checks a value that a server sends, where the RFC bounds it. [RFC 9113 §6.5.2] */
function checkSetting(identifier: number, value: number): void {
  if (identifier === SETTINGS_ENABLE_PUSH && value !== 0)
    throw new Http2Error(PROTOCOL_ERROR, `ENABLE_PUSH ${value} from a server`)
  if (identifier === SETTINGS_INITIAL_WINDOW_SIZE && value > MAX_31_BIT)
    throw new Http2Error(FLOW_CONTROL_ERROR, `INITIAL_WINDOW_SIZE ${value}`)
  if (identifier === SETTINGS_MAX_FRAME_SIZE && !isMaxFrameBytes(value))
    throw new Http2Error(PROTOCOL_ERROR, `MAX_FRAME_SIZE ${value}`)
}

/** Whether a value may stand as SETTINGS_MAX_FRAME_SIZE: 2^14 to 2^24-1. */
export function isMaxFrameBytes(value: number): boolean {
  return value >= MIN_MAX_FRAME_BYTES && value <= MAX_MAX_FRAME_BYTES
}
