import {
  DatabaseSync,
  type SQLInputValue,
  type SQLOutputValue,
  type StatementSync,
} from 'node:sqlite'
import { ApnsdError } from './errors.ts'

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

export type Row = Record<string, SQLOutputValue>

/**
 * The daemon's SQLite file: write-ahead log, every commit on the disk before it returns.
 *
 * Calls are synchronous, as SQLite is: a commit takes a fraction of a millisecond on a disk that answers fsync at once,
 * and {@link GroupCommit} makes many callers share one.
 */
export class Database {
  readonly #db: DatabaseSync
  readonly #path: string

  private constructor(path: string, db: DatabaseSync) {
    this.#path = path
    this.#db = db
  }

  /**
   * Opens the file, or makes it, and brings its tables up to date.
   * @throws {ApnsdError} storage-failed: not readable, not writable, not ours, or written by a newer version
   */
  static open(path: string, migrations: readonly Migration[]): Database {
    let database: Database | undefined
    try {
      const db = new DatabaseSync(path, { timeout: 5000 })
      database = new Database(path, db)
      // synchronous=FULL: in WAL mode only then has a commit reached the disk when it returns
      db.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON')
      database.#checkFormat()
      database.#migrate(migrations)
      return database
    } catch (error) {
      database?.close()
      throw storageError(error, `The data file ${path} cannot be used`)
    }
  }

  #checkFormat(): void {
    const applicationId = this.#pragma('application_id')
    const formatVersion = this.#pragma('user_version')
    const tables = this.get('SELECT count(*) AS count FROM sqlite_schema')?.['count']
    if (applicationId === 0 && formatVersion === 0 && tables === 0) {
      this.#db.exec(
        `PRAGMA application_id = ${APPLICATION_ID}; PRAGMA user_version = ${FORMAT_VERSION}`,
      )
      return
    }
    if (applicationId !== APPLICATION_ID)
      throw new ApnsdError('storage-failed', `${this.#path} is not a data file of apnsd.`)
    if (formatVersion > FORMAT_VERSION)
      throw new ApnsdError('storage-failed', `${this.#path} was written by a newer apnsd.`, {
        hint: 'Start that version, or another data folder.',
      })
  }

  #pragma(name: 'application_id' | 'user_version'): number {
    return Number(this.get(`PRAGMA ${name}`)?.[name])
  }

  #migrate(migrations: readonly Migration[]): void {
    this.#db.exec(
      `CREATE TABLE IF NOT EXISTS migrations (
         component TEXT NOT NULL, number INTEGER NOT NULL, PRIMARY KEY (component, number)
       ) STRICT`,
    )
    const isApplied = this.prepare('SELECT 1 FROM migrations WHERE component = ? AND number = ?')
    const note = this.prepare('INSERT INTO migrations (component, number) VALUES (?, ?)')
    for (const { component, number, sql } of migrations) {
      if (isApplied.get(component, number) !== undefined) continue
      this.transaction(() => {
        this.#db.exec(sql)
        note.run(component, number)
      })
    }
  }

  prepare(sql: string): StatementSync {
    return this.#db.prepare(sql)
  }

  get(sql: string, ...values: SQLInputValue[]): Row | undefined {
    return this.#db.prepare(sql).get(...values)
  }

  /**
   * Runs `work` in one transaction. When it returns, what it wrote is on the disk; when it throws, nothing is.
   * @throws {ApnsdError} storage-failed
   */
  transaction<T>(work: () => T): T {
    try {
      this.#db.exec('BEGIN IMMEDIATE')
      const result = work()
      this.#db.exec('COMMIT')
      return result
    } catch (error) {
      // SQLite has rolled back by itself after some errors, such as a full disk
      if (this.#db.isTransaction) this.#db.exec('ROLLBACK')
      throw storageError(error, 'The disk did not take it')
    }
  }

  /** Bytes of the file that hold something; what was deleted is used again before the file grows. */
  usedBytes(): number {
    const pragma = (name: string): number => Number(this.get(`PRAGMA ${name}`)?.[name])
    return (pragma('page_count') - pragma('freelist_count')) * pragma('page_size')
  }

  close(): void {
    if (this.#db.isOpen) this.#db.close()
  }
}

/** Faults that pass without anybody touching the file: busy, an error of the disk, a full disk. */
const PASSING: ReadonlySet<number> = new Set([5, 10, 13])
/** When to try again after a fault that may pass: soon enough for a person, seldom enough for a full disk. */
const RETRY_AFTER_S = 10

/** SQLite's primary result codes that an operator can do something about. [sqlite.org/rescode.html] */
const EXPLANATIONS: Record<number, string> = {
  5: 'another process holds it',
  8: 'it is read-only',
  10: 'the disk reports an error',
  11: 'it is damaged',
  13: 'the disk is full',
  14: 'it cannot be opened',
  26: 'it is not an SQLite file',
}

function storageError(error: unknown, what: string): ApnsdError {
  if (error instanceof ApnsdError) return error
  const errcode = (error as { errcode?: number }).errcode
  // a mistake of ours rather than the disk's: let it be seen as one
  if (errcode === undefined) throw error
  const primaryCode = errcode & 0xff
  const explanation = EXPLANATIONS[primaryCode]
  return new ApnsdError(
    'storage-failed',
    explanation === undefined ? `${what}.` : `${what}: ${explanation}.`,
    {
      cause: error,
      ...(PASSING.has(primaryCode) ? { retryAfterS: RETRY_AFTER_S } : {}),
    },
  )
}
