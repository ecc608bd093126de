import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { ApnsdError } from './errors.ts'

/**
 * Makes sure that one process at a time uses a data folder.
 *
 * The lock is an SQLite file with an exclusive transaction left open. The operating system drops it with the process,
 * however that ends, so there is no stale lock to clean up after a crash.
 */
export class FolderLock {
  readonly #db: DatabaseSync

  private constructor(db: DatabaseSync) {
    this.#db = db
  }

  /** @throws {ApnsdError} data-folder-in-use, storage-failed */
  static take(folder: string): FolderLock {
    let db: DatabaseSync | undefined
    try {
      db = new DatabaseSync(join(folder, 'lock.db'), { timeout: 0 })
      db.exec('BEGIN EXCLUSIVE')
      return new FolderLock(db)
    } catch (cause) {
      db?.close()
      const SQLITE_BUSY = 5
      if ((cause as { errcode?: number }).errcode === SQLITE_BUSY)
        throw new ApnsdError(
          'data-folder-in-use',
          `Another apnsd uses the data folder ${folder}.`,
          {
            hint: 'Stop that one, or give this one a folder of its own with --data.',
          },
        )
      throw new ApnsdError('storage-failed', `The data folder ${folder} cannot be written to.`, {
        cause,
      })
    }
  }

  release(): void {
    this.#db.close()
  }
}
