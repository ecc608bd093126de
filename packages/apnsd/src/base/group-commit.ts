import type { Database } from './database.ts'

interface Waiting {
  readonly work: () => void
  readonly resolve: () => void
  readonly reject: (error: unknown) => void
}

/** So long a patient writer waits for company. */
const PATIENCE_MS = 10
/** With so many waiting there is company enough. */
const MOST_PATIENT = 500

/**
 * Lets writers share commits: all the work handed in during one turn of the event loop is done in one transaction, so
 * that a hundred callers wait for one write to the disk instead of a hundred. Patient writers, for whom nobody waits, do
 * not cause a commit of their own for a moment: mostly they go along with somebody's who is in a hurry.
 *
 * Each caller's promise resolves when its own work is on the disk. If the transaction fails, it fails for all of them
 * and nothing of any is kept.
 */
export class GroupCommit {
  readonly #database: Database
  readonly #patienceMs: number
  #waiting: Waiting[] = []
  #immediate: NodeJS.Immediate | undefined
  #timer: NodeJS.Timeout | undefined

  constructor(database: Database, patienceMs = PATIENCE_MS) {
    this.#database = database
    this.#patienceMs = patienceMs
  }

  /**
   * @param isPatient whether it may wait a moment for others
   * @throws {ApnsdError} storage-failed
   */
  run(work: () => void, { isPatient = false } = {}): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ work, resolve, reject })
      if (isPatient && this.#patienceMs > 0 && this.#waiting.length < MOST_PATIENT)
        this.#timer ??= setTimeout(() => this.flush(), this.#patienceMs)
      else this.#immediate ??= setImmediate(() => this.flush())
    })
  }

  /** Commits what waits, now. */
  flush(): void {
    clearTimeout(this.#timer)
    clearImmediate(this.#immediate)
    this.#timer = undefined
    this.#immediate = undefined
    const group = this.#waiting
    if (group.length === 0) return
    this.#waiting = []
    try {
      this.#database.transaction(() => {
        for (const { work } of group) work()
      })
    } catch (error) {
      for (const { reject } of group) reject(error)
      return
    }
    for (const { resolve } of group) resolve()
  }
}
