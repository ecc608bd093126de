import { readWrittenBytes } from '../common/process-usage.ts'

const SAMPLE_MS = 5
/** Before a line of the log came, what it wrote may have been the line itself. */
const LINE_MS = 2 * SAMPLE_MS
const KEPT = 16

/**
 * Notes when a process last wrote anything, to disk or wire. The daemon says outcomes once a second, so the line of the
 * log that completes them comes up to a second after the last one; until then the daemon has nothing to write.
 */
export class LastWrite {
  readonly #pid: number
  readonly #timer: NodeJS.Timeout
  /** The latest moments at which more was written than at the sample before. */
  #changesMs: number[] = []
  #bytes: number

  constructor(pid: number) {
    this.#pid = pid
    this.#bytes = readWrittenBytes(pid)
    this.#timer = setInterval(() => this.#sample(), SAMPLE_MS)
  }

  /** When it last wrote before the line that came at `lineMs`; that time itself where no pause came before the line. */
  before(lineMs: number): number {
    return this.#changesMs.findLast((atMs) => atMs < lineMs - LINE_MS) ?? lineMs
  }

  stop(): void {
    clearInterval(this.#timer)
  }

  #sample(): void {
    const bytes = readWrittenBytes(this.#pid)
    if (bytes === this.#bytes) return
    this.#bytes = bytes
    this.#changesMs.push(performance.now())
    this.#changesMs = this.#changesMs.slice(-KEPT)
  }
}
