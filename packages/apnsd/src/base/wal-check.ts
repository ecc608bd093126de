import { closeSync, openSync, readSync } from 'node:fs'
import { sizeOf } from './data-file.ts'

/*
 * The write-ahead log. [sqlite.org/fileformat2.html#walformat]
 *
 *     header, 32 bytes:  magic │ version │ page size │ sequence │ salt 1 │ salt 2 │ checksum, 8 bytes
 *     then frames:       page number │ pages after commit, or 0 │ salt 1 │ salt 2 │ checksum, 8 bytes │ the page
 *
 * Numbers are 4 bytes, big-endian. Frames with other salts are left over from an earlier round.
 */
const HEADER_BYTES = 32
const CHECKSUM_OFFSET = 24
const FRAME_HEADER_BYTES = 24
/** The last bit tells the byte order of the checksums. */
const MAGIC = 0x37_7f_06_82

/**
 * Looks for commits in a write-ahead log behind the point where SQLite stopped reading it.
 *
 * SQLite reads up to the first frame whose checksum is wrong, and takes that for the end: so a power cut in the midst of a
 * commit does no harm. But a damaged byte in the middle of the log looks the same, and everything behind it would be
 * dropped without a word. A commit is on the disk before the next one begins, so a power cut can leave one unfinished
 * commit, not two.
 * @param validFrames how many SQLite took
 * @returns true where commits that were on the disk have been dropped
 */
export function hasLostCommits(path: string, validFrames: number): boolean {
  const bytes = sizeOf(path) ?? 0
  if (bytes <= HEADER_BYTES) return false
  const file = openSync(path, 'r')
  try {
    const header = Buffer.alloc(HEADER_BYTES)
    readSync(file, header, 0, HEADER_BYTES, 0)
    if (header.every((byte) => byte === 0)) return false // a log that had just been made when the power went
    if (!isWhole(header)) return true
    return countCommits(file, bytes, header, validFrames) > 1
  } finally {
    closeSync(file)
  }
}

function isWhole(header: Buffer): boolean {
  const magic = header.readUInt32BE(0)
  const isBigEndian = (magic & 1) === 1
  let [one, two] = [0, 0]
  for (let offset = 0; offset < CHECKSUM_OFFSET; offset += 8) {
    const words = header.subarray(offset, offset + 8)
    one = (one + (isBigEndian ? words.readUInt32BE(0) : words.readUInt32LE(0)) + two) >>> 0
    two = (two + (isBigEndian ? words.readUInt32BE(4) : words.readUInt32LE(4)) + one) >>> 0
  }
  const isOurKind = magic >>> 1 === MAGIC >>> 1
  return (
    isOurKind &&
    header.readUInt32BE(CHECKSUM_OFFSET) === one &&
    header.readUInt32BE(CHECKSUM_OFFSET + 4) === two
  )
}

function countCommits(file: number, bytes: number, header: Buffer, fromFrame: number): number {
  const frameBytes = FRAME_HEADER_BYTES + header.readUInt32BE(8)
  const frame = Buffer.alloc(FRAME_HEADER_BYTES)
  let commits = 0
  for (
    let offset = HEADER_BYTES + fromFrame * frameBytes;
    offset + frameBytes <= bytes;
    offset += frameBytes
  ) {
    readSync(file, frame, 0, FRAME_HEADER_BYTES, offset)
    const isOfThisRound = frame.compare(header, 16, 24, 8, 16) === 0
    const isCommit = frame.readUInt32BE(4) !== 0
    if (isOfThisRound && isCommit) commits += 1
  }
  return commits
}
