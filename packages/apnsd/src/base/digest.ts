import { createHash } from 'node:crypto'

/** What tells one text from another, by SHA-256: taken bit by bit. */
export interface Digest {
  update(text: string): Digest
  /** Lower-case hex; ends it. */
  digest(encoding: 'hex'): string
}

export const startDigest = (): Digest => createHash('sha256')
