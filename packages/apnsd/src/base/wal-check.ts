import { closeSync, openSync, readSync } from 'node:fs'
import { sizeOf } from './data-file.ts'

/*
 * The write-ahead log. [sqlite.org/fileformat2.html#walformat]
 *
 *     header, 32 bytes:  magic │ version │ page size │ sequence │ salt 1 │ salt 2 │ checksum, 8 bytes
 *     then frames:       page number │ pages after commit, or 0 │ salt 1 │ salt 2 │ checksum, 8 bytes │ the page
 *
 * Numbers are 4 bytes, big-endian. Frames with other salts are left over from an earlier round. Each checksum goes on
 * from the one before it.
 */
const HEADER_BYTES = 32
const FRAME_HEADER_BYTES = 24
const SALTS_OFFSET = 16
const HEADER_CHECKSUM_OFFSET = 24
const FRAME_CHECKSUM_OFFSET = 16
/** The last bit tells the byte order in which checksums read their words: 1 for big-endian. */
const MAGIC = 0x37_7f_06_82

/**
 * Looks in a write-ahead log for commits that SQLite is going to drop. To be asked before SQLite opens the file: when it
 * closes it again, it deletes the log.
 *
 * SQLite reads up to the first frame whose checksum is wrong, and takes that for the end: so a power cut in the midst of a
 * commit does no harm. But a damaged byte in the middle of the log looks the same, and everything behind it would be
 * dropped without a word. A commit is on the disk before the next one begins, so a power cut can leave one unfinished
 * commit, not two.
 * @returns true where commits that were on the disk would be dropped
 */
export function hasLostCommits(path: string): boolean {
  const bytes = sizeOf(path) ?? 0
  if (bytes <= HEADER_BYTES) return false
  const file = openSync(path, 'r')
  try {
    const header = Buffer.alloc(HEADER_BYTES)
    readSync(file, header, 0, HEADER_BYTES, 0)
    if (header.every((byte) => byte === 0)) return false // a log that had just been made when the power went
    const checksum = new Checksum(header.readUInt32BE(0))
    checksum.add(header, 0, HEADER_CHECKSUM_OFFSET)
    const isWhole =
      header.readUInt32BE(0) >>> 1 === MAGIC >>> 1 &&
      checksum.matches(header, HEADER_CHECKSUM_OFFSET)
    return !isWhole || countDropped(file, bytes, header, checksum) > 1
  } finally {
    closeSync(file)
  }
}

/** Counts the commits behind the first frame that is not whole. */
function countDropped(file: number, bytes: number, header: Buffer, checksum: Checksum): number {
  const frame = Buffer.alloc(FRAME_HEADER_BYTES + header.readUInt32BE(8))
  let isReading = true
  let dropped = 0
  for (let offset = HEADER_BYTES; offset + frame.length <= bytes; offset += frame.length) {
    readSync(file, frame, 0, isReading ? frame.length : FRAME_HEADER_BYTES, offset)
    const isOfThisRound = frame.compare(header, SALTS_OFFSET, SALTS_OFFSET + 8, 8, 16) === 0
    if (isReading) {
      checksum.add(frame, 0, 8)
      checksum.add(frame, FRAME_HEADER_BYTES, frame.length)
      isReading = isOfThisRound && checksum.matches(frame, FRAME_CHECKSUM_OFFSET)
    }
    const isCommit = frame.readUInt32BE(4) !== 0
    if (!isReading && isOfThisRound && isCommit) dropped += 1
  }
  return dropped
}

/** SQLite's: two sums over pairs of words. */
class Checksum {
  readonly #isLittleEndian: boolean
  #one = 0
  #two = 0

  constructor(magic: number) {
    this.#isLittleEndian = (magic & 1) === 0
  }

  /** @param end less `start`: a multiple of 8 */
  add(bytes: Buffer, start: number, end: number): void {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    let one = this.#one
    let two = this.#two
    for (let offset = start; offset < end; offset += 8) {
      one = (one + view.getUint32(offset, this.#isLittleEndian) + two) >>> 0
      two = (two + view.getUint32(offset + 4, this.#isLittleEndian) + one) >>> 0
    }
    this.#one = one
    this.#two = two
  }

  matches(bytes: Buffer, offset: number): boolean {
    return bytes.readUInt32BE(offset) === this.#one && bytes.readUInt32BE(offset + 4) === this.#two
  }
}
