import type { HpackEncoder } from './hpack/encoder.ts'

/**
 * The header fields of one request, as whoever sends it encodes them: straight into the frame, with no object for them.
 * Once `encode` is called it must not throw: the block would stay open, and the tables of both ends would differ.
 */
export interface HeaderFields {
  /** Bounds from above what `encode` writes; see `maxFieldBytes`. */
  readonly maxBytes: number
  /**
   * Encodes the fields, pseudo-header fields first.
   * @returns the offset behind them
   */
  encode(hpack: HpackEncoder, target: Buffer, at: number): number
}
