/** The line that tells of outcomes is itself written; a write so shortly before it was read is taken for that one. */
const LINE_MS = 10
const KEPT = 16

/**
 * Notes when a process last wrote anything, to disk or wire, by samples of how much it has written. The daemon says
 * outcomes once a second, so the line of the log that completes them comes up to a second after the last one; until then
 * the daemon has nothing to write.
 */
export class LastWrite {
  /** The latest moments at which more was written than at the sample before. */
  #changesMs: number[] = []
  #bytes: number

  /** @param bytes written so far */
  constructor(bytes: number) {
    this.#bytes = bytes
  }

  note(bytes: number, atMs: number): void {
    if (bytes === this.#bytes) return
    this.#bytes = bytes
    this.#changesMs.push(atMs)
    this.#changesMs = this.#changesMs.slice(-KEPT)
  }

  /** When it last wrote before the line that came at `lineMs`; that time itself where nothing was seen before it. */
  before(lineMs: number): number {
    return this.#changesMs.findLast((atMs) => atMs < lineMs - LINE_MS) ?? lineMs
  }
}
