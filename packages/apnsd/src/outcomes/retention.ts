import type { Log } from '../base/log.ts'
import type { Clock, OutcomeArchive } from '../core/ports.ts'

export interface RetentionLimits {
  /** Outcomes older than this are forgotten. */
  readonly keepMs: number
  /** With more than this on the disk, the oldest are forgotten sooner. */
  readonly maxBytes: number
}

const SWEEP_INTERVAL_MS = 60_000
/** Chunks that one commit forgets: between two of them others have their turn. */
const CHUNKS_IN_A_COMMIT = 200

/** Forgets outcomes that are old, or too many, so that the file does not grow without end. */
export class Retention {
  readonly #archive: Pick<OutcomeArchive, 'forget' | 'usedBytes'>
  readonly #clock: Clock
  readonly #limits: RetentionLimits
  readonly #log: Log
  #timer: NodeJS.Timeout | undefined
  #sweeping: Promise<void> | undefined
  #isStopped = false

  constructor(
    archive: Pick<OutcomeArchive, 'forget' | 'usedBytes'>,
    clock: Clock,
    limits: RetentionLimits,
    log: Log,
  ) {
    this.#archive = archive
    this.#clock = clock
    this.#limits = limits
    this.#log = log
  }

  start(): void {
    this.#timer = setInterval(() => this.#begin(), SWEEP_INTERVAL_MS)
    this.#begin()
  }

  /** Resolves when nothing is being forgotten any more. */
  async stop(): Promise<void> {
    this.#isStopped = true
    clearInterval(this.#timer)
    await this.#sweeping
  }

  #begin(): void {
    this.#sweeping ??= this.sweep()
      .catch((error: unknown) => this.#log.warn({ err: error }, 'could not forget old outcomes'))
      .finally(() => {
        this.#sweeping = undefined
      })
  }

  /** Forgets what is to be forgotten now. */
  async sweep(): Promise<void> {
    const { keepMs, maxBytes } = this.#limits
    const old = await this.#forgetWhile(this.#clock.now() - keepMs, () => true)
    const isTooMuch = (): boolean => this.#archive.usedBytes() > maxBytes
    const tooMany = isTooMuch() ? await this.#forgetWhile(Number.MAX_SAFE_INTEGER, isTooMuch) : 0
    if (tooMany > 0)
      this.#log.warn(
        { chunks: tooMany, maxBytes },
        'outcomes were forgotten before their time: they take more room than outcomes.maxMegabytes',
      )
    else if (old > 0) this.#log.debug({ chunks: old }, 'old outcomes were forgotten')
  }

  async #forgetWhile(endedBeforeMs: number, goesOn: () => boolean): Promise<number> {
    let chunks = 0
    while (!this.#isStopped && goesOn()) {
      const forgotten = await this.#archive.forget(endedBeforeMs, CHUNKS_IN_A_COMMIT)
      chunks += forgotten
      if (forgotten < CHUNKS_IN_A_COMMIT) break
    }
    return chunks
  }
}
