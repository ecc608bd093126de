import type { Setting } from './frame-handler.ts'
import {
  INITIAL_WINDOW_BYTES,
  MIN_MAX_FRAME_BYTES,
  SETTINGS_ENABLE_PUSH,
  SETTINGS_HEADER_TABLE_SIZE,
  SETTINGS_INITIAL_WINDOW_SIZE,
  SETTINGS_MAX_CONCURRENT_STREAMS,
  SETTINGS_MAX_FRAME_SIZE,
  SETTINGS_MAX_HEADER_LIST_SIZE,
} from './frame-types.ts'

/** What SETTINGS_HEADER_TABLE_SIZE is until it is set. [RFC 9113 §6.5.2] */
const DEFAULT_HEADER_TABLE_BYTES = 4096

/** One step of one setting. */
export interface SettingChange {
  readonly identifier: number
  readonly from: number
  readonly to: number
}

/**
 * What the server told us about itself; Infinity stands where it set no bound.
 * @see RFC 9113 §6.5.2
 */
export class PeerSettings {
  /** The most that our encoder's dynamic table may take. */
  headerTableBytes = DEFAULT_HEADER_TABLE_BYTES
  /** How many streams we may have open at once; APNs changes it at any time, 0 included. */
  maxConcurrentStreams = Number.POSITIVE_INFINITY
  /** The send window of each new stream. */
  initialWindowBytes = INITIAL_WINDOW_BYTES
  /** The most payload of one frame that we send. */
  maxFrameBytes = MIN_MAX_FRAME_BYTES
  /** Advice: the most that the fields of a request may take, each counted with 32 bytes more. */
  maxHeaderListBytes = Number.POSITIVE_INFINITY

  /**
   * Applies a SETTINGS frame, in order, as FrameReader hands it on (checked). Settings that we do not know, or that
   * already stand so, change nothing.
   * @returns each step in order, a setting that comes twice with both: streams and the encoder must follow each of them.
   *   [RFC 9113 §6.5.3; RFC 7541 §4.2]
   */
  apply(settings: readonly Setting[]): SettingChange[] {
    const changes: SettingChange[] = []
    for (const [identifier, value] of settings) {
      const from = this.#replace(identifier, value)
      if (from !== value) changes.push({ identifier, from, to: value })
    }
    return changes
  }

  /** @returns what stood there before; for a setting that we do not know, `value` */
  #replace(identifier: number, value: number): number {
    let from = value
    switch (identifier) {
      case SETTINGS_HEADER_TABLE_SIZE:
        from = this.headerTableBytes
        this.headerTableBytes = value
        break
      case SETTINGS_MAX_CONCURRENT_STREAMS:
        from = this.maxConcurrentStreams
        this.maxConcurrentStreams = value
        break
      case SETTINGS_INITIAL_WINDOW_SIZE:
        from = this.initialWindowBytes
        this.initialWindowBytes = value
        break
      case SETTINGS_MAX_FRAME_SIZE:
        from = this.maxFrameBytes
        this.maxFrameBytes = value
        break
      case SETTINGS_MAX_HEADER_LIST_SIZE:
        from = this.maxHeaderListBytes
        this.maxHeaderListBytes = value
        break
      default:
    }
    return from
  }
}

/** What we tell the server about ourselves. Pushes are always ruled out: a client of APNs has no use for them. */
export interface OwnSettings {
  /** The most that our decoder's dynamic table may take. 0 makes most of Apple's answers one byte to decode. */
  readonly headerTableBytes: number
  /** The receive window of each new stream, 0 to 2^31-1. */
  readonly initialWindowBytes: number
  /** The most payload of one frame that we read, 2^14 to 2^24-1. */
  readonly maxFrameBytes: number
  /** Advice to the server: the most that the fields of an answer may take, each counted with 32 bytes more. */
  readonly maxHeaderListBytes: number
}

export const DEFAULT_OWN_SETTINGS: OwnSettings = {
  headerTableBytes: 0,
  initialWindowBytes: INITIAL_WINDOW_BYTES,
  maxFrameBytes: MIN_MAX_FRAME_BYTES,
  maxHeaderListBytes: 32 * 1024,
}

/** What the server assumes of us until it is told; the rest it is told in any case. */
const DEFAULTS: ReadonlyMap<number, number> = new Map([
  [SETTINGS_HEADER_TABLE_SIZE, DEFAULT_HEADER_TABLE_BYTES],
  [SETTINGS_INITIAL_WINDOW_SIZE, INITIAL_WINDOW_BYTES],
  [SETTINGS_MAX_FRAME_SIZE, MIN_MAX_FRAME_BYTES],
])

/** Encodes our settings as entries of a SETTINGS frame, without those that stand so by default. */
export function encodeOwnSettings(own: OwnSettings): Setting[] {
  const settings: Setting[] = [
    [SETTINGS_HEADER_TABLE_SIZE, own.headerTableBytes],
    [SETTINGS_ENABLE_PUSH, 0],
    [SETTINGS_INITIAL_WINDOW_SIZE, own.initialWindowBytes],
    [SETTINGS_MAX_FRAME_SIZE, own.maxFrameBytes],
    [SETTINGS_MAX_HEADER_LIST_SIZE, own.maxHeaderListBytes],
  ]
  return settings.filter(([identifier, value]) => DEFAULTS.get(identifier) !== value)
}
