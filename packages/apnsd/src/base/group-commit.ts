import type { Database } from './database.ts'

interface Waiting {
  readonly work: () => void
  readonly resolve: () => void
  readonly reject: (error: unknown) => void
}

/**
 * Lets writers share commits: all the work handed in during one turn of the event loop is done in one transaction, so
 * that a hundred callers wait for one write to the disk instead of a hundred.
 *
 * Each caller's promise resolves when its own work is on the disk. If the transaction fails, it fails for all of them
 * and nothing of any is kept.
 */
export class GroupCommit {
  readonly #database: Database
  #waiting: Waiting[] = []

  constructor(database: Database) {
    this.#database = database
  }

  /** @throws {ApnsdError} storage-failed */
  run(work: () => void): Promise<void> {
    return new Promise((resolve, reject) => {
      if (this.#waiting.length === 0) setImmediate(() => this.flush())
      this.#waiting.push({ work, resolve, reject })
    })
  }

  /** Commits what waits, now. */
  flush(): void {
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
