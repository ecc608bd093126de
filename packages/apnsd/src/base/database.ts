import { renameSync, rmSync } from 'node:fs'
import { dirname } from 'node:path'
import { DatabaseSync, type SQLInputValue } from 'node:sqlite'
import { COMPANIONS, checkDataFile, diagnose, identityOf, sizeOf } from './data-file.ts'
import { syncFolder } from './durable-files.ts'
import { type Row, Statement } from './statement.ts'
import {
  describeFault,
  faultOfSystemError,
  isStorageFailure,
  StorageError,
  toStorageError,
} from './storage-error.ts'
import { hasLostCommits } from './wal-check.ts'

export type { Row } from './statement.ts'

/** One step in the life of a component's tables. Steps are applied in order, once each, and never changed afterwards. */
export interface Migration {
  readonly component: string
  /** 1, 2, 3 … within its component. */
  readonly number: number
  readonly sql: string
}

/** In every file of ours (`PRAGMA application_id`): the letters APND. */
const APPLICATION_ID = 0x41_50_4e_44
/** Raised when an older daemon could no longer make sense of the file. */
const FORMAT_VERSION = 1

/** The log is cut to this when it has been longer, by a large commit for example. */
const MAX_IDLE_LOG_BYTES = 16 * 1024 * 1024
/** Larger files are not searched for damage at the start, which reads them whole. */
const MAX_CHECKED_BYTES = 64 * 1024 * 1024

/** Nobody else should write to the file. If somebody does, the daemon stands still for so long before it refuses. */
const BUSY_TIMEOUT_MS = 250
/** At the start it waits longer: whoever looks at the file then, such as a backup, is done soon. */
const BUSY_AT_START_MS = 5000

const SETTINGS = `
  PRAGMA synchronous = FULL;    -- in WAL mode only then has a commit reached the disk when it returns
  PRAGMA journal_size_limit = ${MAX_IDLE_LOG_BYTES};
  PRAGMA temp_store = MEMORY;   -- another disk that is full must not fail a commit
  PRAGMA foreign_keys = ON;
`

/**
 * The daemon's SQLite file: write-ahead log, every commit on the disk before it returns.
 *
 * Calls are synchronous, as SQLite is: a commit takes a fraction of a millisecond on a disk that answers fsync at once,
 * and {@link GroupCommit} makes many callers share one.
 */
export class Database {
  readonly path: string
  /** True where the file was made by this very `open`. */
  readonly isNew: boolean
  readonly #db: DatabaseSync
  readonly #identity: string | null
  #commits = 0
  #onFault: (error: StorageError) => void = () => undefined

  private constructor(path: string, isNew: boolean) {
    this.path = path
    this.isNew = isNew
    this.#db = new DatabaseSync(path, { timeout: BUSY_AT_START_MS })
    this.#identity = identityOf(path)
  }

  /**
   * Opens the file, or makes it, and brings its tables up to date.
   * @throws {ApnsdError} storage-failed: not readable, not writable, damaged, not ours, or written by a newer version
   */
  static open(path: string, migrations: readonly Migration[]): Database {
    try {
      const isThere = checkDataFile(path)
      if (!isThere) Database.#make(path, migrations)
      else if (hasLostCommits(`${path}-wal`)) throw damagedLog(path)
      return Database.#open(path, migrations, !isThere)
    } catch (error) {
      const fault = faultOfSystemError(error)
      throw fault === null ? error : describeFault(fault, cannotBeUsed(path), { cause: error })
    }
  }

  /** Makes the file under another name first: under its own it is whole from the beginning, or not there. */
  static #make(path: string, migrations: readonly Migration[]): void {
    const draft = `${path}.new`
    for (const suffix of ['', ...COMPANIONS]) rmSync(draft + suffix, { force: true })
    const database = Database.#open(draft, migrations, true)
    try {
      database.#emptyLog()
    } finally {
      database.close()
    }
    renameSync(draft, path)
    syncFolder(dirname(path))
  }

  static #open(path: string, migrations: readonly Migration[], isNew: boolean): Database {
    let database: Database | undefined
    try {
      database = new Database(path, isNew)
      database.#start(migrations)
      return database
    } catch (error) {
      database?.close()
      if (!isStorageFailure(error)) throw error
      const failure = toStorageError(error, cannotBeUsed(path), () => diagnose(path))
      throw failure.fault === 'damaged' ? damaged(path, error) : failure
    }
  }

  /** Told of every fault of the disk or the file, once each, before the call that met it fails. */
  onFault(listener: (error: StorageError) => void): void {
    this.#onFault = listener
  }

  /**
   * False where the file has been moved or deleted under us. All works as before then, but nobody will find what is
   * written.
   */
  get isInPlace(): boolean {
    return identityOf(this.path) === this.#identity
  }

  /** How many transactions have reached the disk since the file was opened. */
  get commits(): number {
    return this.#commits
  }

  /** @throws {ApnsdError} storage-failed, as every call of the statement may */
  prepare(sql: string): Statement {
    const failed = (error: unknown): unknown =>
      this.#failed(error, 'The daemon could not read what it has stored')
    try {
      return new Statement(this.#db.prepare(sql), failed)
    } catch (error) {
      throw failed(error)
    }
  }

  /** @throws {ApnsdError} storage-failed */
  get(sql: string, ...values: SQLInputValue[]): Row | undefined {
    return this.prepare(sql).get(...values)
  }

  /**
   * Runs `work` in one transaction. When it returns, what it wrote is on the disk; when it throws, nothing is.
   * @throws {ApnsdError} storage-failed
   */
  transaction<T>(work: () => T): T {
    try {
      return this.#commit(work)
    } catch (error) {
      throw this.#failed(error, 'The daemon could not write this down')
    }
  }

  /** Bytes of the file that hold something; what was deleted is used again before the file grows. */
  usedBytes(): number {
    const pragma = (name: string): number => Number(this.get(`PRAGMA ${name}`)?.[name])
    return (pragma('page_count') - pragma('freelist_count')) * pragma('page_size')
  }

  /**
   * Moves what the log holds into the file and cuts the log: what a commit that failed half way took of the disk is free
   * again. Does nothing where there is no room for that.
   */
  shrinkLog(): void {
    try {
      this.#db.exec('PRAGMA wal_checkpoint(TRUNCATE)')
    } catch (error) {
      if (!isStorageFailure(error)) throw error
    }
  }

  close(): void {
    if (this.#db.isOpen) this.#db.close()
  }

  #commit<T>(work: () => T): T {
    try {
      this.#db.exec('BEGIN IMMEDIATE')
      const result = work()
      this.#db.exec('COMMIT')
      this.#commits += 1
      return result
    } catch (error) {
      // SQLite has rolled back by itself after some errors, such as a full disk
      if (this.#db.isTransaction) this.#db.exec('ROLLBACK')
      throw error
    }
  }

  #failed(error: unknown, what: string): unknown {
    if (!isStorageFailure(error)) return error
    const failure = toStorageError(error, what, () => diagnose(this.path))
    this.#onFault(failure)
    return failure
  }

  #start(migrations: readonly Migration[]): void {
    if (this.#pragma('journal_mode = WAL', 'journal_mode') !== 'wal')
      throw describeFault('no-locks', cannotBeUsed(this.path))
    this.#db.exec(SETTINGS)
    this.#checkFormat()
    if (!this.isNew) this.#checkPages()
    this.#migrate(migrations)
    this.#proveWritable()
    this.#db.exec(`PRAGMA busy_timeout = ${BUSY_TIMEOUT_MS}`)
  }

  #emptyLog(): void {
    try {
      this.#db.exec('PRAGMA wal_checkpoint(TRUNCATE)')
    } catch (error) {
      throw this.#failed(error, cannotBeUsed(this.path))
    }
  }

  #checkFormat(): void {
    const applicationId = Number(this.#pragma('application_id'))
    const formatVersion = Number(this.#pragma('user_version'))
    const tables = this.#db.prepare('SELECT count(*) AS count FROM sqlite_schema').get()?.['count']
    if (applicationId === 0 && formatVersion === 0 && tables === 0) {
      this.#db.exec(
        `PRAGMA application_id = ${APPLICATION_ID}; PRAGMA user_version = ${FORMAT_VERSION}`,
      )
      return
    }
    if (applicationId !== APPLICATION_ID)
      throw new StorageError('not-ours', `${this.path} is not a data file of apnsd.`, {
        hint: 'Name another data folder with --data, or move that file away.',
      })
    if (formatVersion > FORMAT_VERSION)
      throw new StorageError('not-ours', `${this.path} was written by a newer apnsd.`, {
        hint: 'Start that version, or another data folder.',
      })
  }

  /** Looks for damage in the structure of the file, where that is quickly done: see docs/decisions/0020. */
  #checkPages(): void {
    if ((sizeOf(this.path) ?? 0) > MAX_CHECKED_BYTES) return
    const found = this.#pragma('quick_check(1)', 'quick_check')
    if (found !== 'ok') throw damaged(this.path, new Error(String(found)))
  }

  /** A disk that refuses everything, such as one that became read-only after an error, lets itself be opened. */
  #proveWritable(): void {
    this.#commit(() => this.#db.exec(`PRAGMA user_version = ${FORMAT_VERSION}`))
  }

  #pragma(pragma: string, column = pragma): unknown {
    return this.#db.prepare(`PRAGMA ${pragma}`).get()?.[column]
  }

  #migrate(migrations: readonly Migration[]): void {
    this.#db.exec(
      `CREATE TABLE IF NOT EXISTS migrations (
         component TEXT NOT NULL, number INTEGER NOT NULL, PRIMARY KEY (component, number)
       ) STRICT`,
    )
    const isApplied = this.#db.prepare(
      'SELECT 1 FROM migrations WHERE component = ? AND number = ?',
    )
    const note = this.#db.prepare('INSERT INTO migrations (component, number) VALUES (?, ?)')
    for (const { component, number, sql } of migrations) {
      if (isApplied.get(component, number) !== undefined) continue
      this.#commit(() => {
        this.#db.exec(sql)
        note.run(component, number)
      })
    }
  }
}

const cannotBeUsed = (path: string): string => `The data file ${path} cannot be used`

/** What stops a start at a damaged file: with the ways on, of which starting with nothing is never taken by itself. */
function damaged(path: string, cause: Error): StorageError {
  // not `.recover`: Debian's sqlite3 is built without it; and .dump says nothing of whose file it is
  const marks = `PRAGMA application_id=${APPLICATION_ID};PRAGMA user_version=${FORMAT_VERSION};`
  const save = `(sqlite3 ${path} .dump | sed 's/^ROLLBACK.*/COMMIT;/'; echo '${marks}') | sqlite3 ${path}.saved`
  return new StorageError('damaged', `The data file ${path} is damaged.`, {
    hint:
      `Put a copy back. Or save what can be read, move ${path} and ${path}-wal away, ` +
      `and put the saved file in its place: ${save}`,
    cause,
  })
}

function damagedLog(path: string): StorageError {
  return new StorageError('damaged', `The log ${path}-wal is damaged: commits in it are lost.`, {
    hint:
      `Put copies of ${path} and ${path}-wal back. Or go on with what can be read: ` +
      `sqlite3 ${path} 'PRAGMA wal_checkpoint(TRUNCATE)'`,
  })
}
