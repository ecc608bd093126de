import { constants } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { checkAccess, diagnose, sizeOf } from './data-file.ts'
import { ApnsdError } from './errors.ts'
import { isStorageFailure, toStorageError } from './storage-error.ts'

const SQLITE_BUSY = 5

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
    const path = join(folder, 'lock.db')
    // SQLite takes what it may not write to as well, and locks nothing then
    checkAccess(folder, constants.W_OK | constants.X_OK)
    if (sizeOf(path) !== null) checkAccess(path, constants.R_OK | constants.W_OK)
    let db: DatabaseSync | undefined
    try {
      db = new DatabaseSync(path, { timeout: 0 })
      db.exec('BEGIN EXCLUSIVE')
      return new FolderLock(db)
    } catch (cause) {
      db?.close()
      if (!isStorageFailure(cause)) throw cause
      if (cause.errcode === SQLITE_BUSY) throw inUse(folder)
      throw toStorageError(cause, `The data folder ${folder} cannot be locked`, () =>
        diagnose(path),
      )
    }
  }

  release(): void {
    this.#db.close()
  }
}

function inUse(folder: string): ApnsdError {
  return new ApnsdError('data-folder-in-use', `Another apnsd uses the data folder ${folder}.`, {
    hint: 'Stop that one, or give this one a folder of its own with --data.',
  })
}
