import { type StatsFs, statfsSync } from 'node:fs'
import { dirname } from 'node:path'
import { sizeOf } from '../base/data-file.ts'
import type { Database, Migration } from '../base/database.ts'
import { describeFault, StorageError } from '../base/storage-error.ts'
import type { Health, HealthFacts } from '../core/health.ts'
import type { Clock } from '../core/ports.ts'

/** What probes write: one row, which says nothing. */
export const STORAGE_HEALTH_MIGRATIONS: readonly Migration[] = [
  {
    component: 'storage-health',
    number: 1,
    sql: `
      CREATE TABLE probe (
        id INTEGER PRIMARY KEY, written_at_ms INTEGER NOT NULL, ballast BLOB NOT NULL
      ) STRICT;
    `,
  },
]

/** A probe that is to show that the disk is well again writes as much as a call with some thousand notifications. */
const BALLAST_BYTES = 256 * 1024
/** How long a refusing disk is left alone before it is tried: longer each time that it fails soon after it was well. */
const FIRST_PROBE_MS = 1000
const LAST_PROBE_MS = 60_000
/** What a commit has shown is believed for so long. */
const FRESH_MS = 5000

/**
 * Kept free for what was accepted: its outcomes have to be written, and the log be moved into the file. Of a small disk
 * a twentieth.
 */
const RESERVED_BYTES = 64 * 1024 * 1024
const RESERVED_SHARE = 1 / 20

/**
 * Reports into {@link Health} whether the data file takes what is written: at once when a call meets a fault, and by
 * probes, so that a fault is seen without traffic, and its end as well.
 *
 *     well ──a call or a probe fails──▶ failing ──a probe passes──▶ well
 *
 * Damage that a call met is a problem of its own, which stays until the next start looks at the file. It is not fatal
 * while the rest can be read and written.
 */
export class StorageHealth {
  readonly #database: Database
  readonly #health: Health
  readonly #clock: Clock
  #state: { name: 'well'; sinceMs: number } | { name: 'failing'; probe: NodeJS.Timeout }
  #probeDelayMs = FIRST_PROBE_MS
  #checkedAtMs: number
  #checkedCommits: number
  /** True from a look that found room until the event loop has come round. */
  #hasRoomThisTurn = false

  constructor(database: Database, health: Health, clock: Clock) {
    this.#database = database
    this.#health = health
    this.#clock = clock
    this.#state = { name: 'well', sinceMs: Number.NEGATIVE_INFINITY }
    this.#checkedAtMs = clock.now()
    this.#checkedCommits = database.commits
    database.onFault((error) => this.#onFault(error))
    health.describe('storage', () => this.#facts())
  }

  /**
   * Refuses new work while the disk is nearly full, since what is left is for what was accepted before; and while the
   * data file has been taken away, since what is written would be lost.
   * @throws {StorageError}
   */
  checkRoom(): void {
    // calls that came together need not all ask the system
    if (this.#hasRoomThisTurn) return
    const error = this.#findObstacle()
    if (error === null) {
      this.#hasRoomThisTurn = true
      setImmediate(() => {
        this.#hasRoomThisTurn = false
      })
      return
    }
    this.#onFault(error)
    throw error
  }

  /** Makes sure that what the view says of the storage is at most a few seconds old. */
  refresh(): void {
    if (this.#state.name === 'failing') return // the probes see to it
    const now = this.#clock.now()
    if (this.#database.commits !== this.#checkedCommits) {
      this.#checkedCommits = this.#database.commits
      this.#checkedAtMs = now
    }
    if (now - this.#checkedAtMs < FRESH_MS) return
    this.#checkedAtMs = now
    const obstacle = this.#findObstacle()
    if (obstacle === null) this.#tryToWrite(0)
    else this.#onFault(obstacle)
  }

  close(): void {
    if (this.#state.name === 'failing') clearTimeout(this.#state.probe)
  }

  #onFault(error: StorageError): void {
    if (error.fault === 'damaged') this.#report('data file', error, false)
    else this.#report('storage', error, true)
    if (this.#state.name === 'failing') return
    const wasWellMs = this.#clock.now() - this.#state.sinceMs
    this.#probeDelayMs =
      wasWellMs < LAST_PROBE_MS ? Math.min(2 * this.#probeDelayMs, LAST_PROBE_MS) : FIRST_PROBE_MS
    this.#probeLater()
  }

  #probeLater(): void {
    const probe = setTimeout(() => this.#probe(), this.#probeDelayMs)
    this.#state = { name: 'failing', probe }
  }

  #probe(): void {
    this.#database.shrinkLog()
    const obstacle = this.#findObstacle()
    if (obstacle !== null) this.#report('storage', obstacle, true)
    if (obstacle !== null || !this.#tryToWrite(BALLAST_BYTES)) {
      this.#probeLater()
      return
    }
    this.#state = { name: 'well', sinceMs: this.#clock.now() }
    this.#health.set('storage', null, { isFatal: true })
  }

  /** Whatever the fault is: where not even this can be written, the daemon can take nothing. */
  #tryToWrite(ballastBytes: number): boolean {
    try {
      // the second commit gives back what the first took
      for (const bytes of new Set([ballastBytes, 0])) this.#write(bytes)
      return true
    } catch (error) {
      if (!(error instanceof StorageError)) throw error
      this.#report('storage', error, true)
      return false
    }
  }

  #write(ballastBytes: number): void {
    this.#database.transaction(() =>
      this.#database
        .prepare('INSERT OR REPLACE INTO probe (id, written_at_ms, ballast) VALUES (1, ?, ?)')
        .run(this.#clock.now(), new Uint8Array(ballastBytes)),
    )
  }

  #report(check: string, error: StorageError, isFatal: boolean): void {
    const { fault: code, message: detail } = error
    this.#health.set(check, { code, detail, sinceMs: this.#clock.now(), cause: error }, { isFatal })
  }

  #findObstacle(): StorageError | null {
    if (!this.#database.isInPlace)
      return new StorageError('missing', 'The data file was moved or deleted under the daemon.', {
        hint: 'Put it back, or start the daemon again.',
        retryAfterS: LAST_PROBE_MS / 1000,
      })
    const { blocks, bsize, bavail } = this.#fileSystem()
    const reservedBytes = Math.min(RESERVED_BYTES, blocks * bsize * RESERVED_SHARE)
    // some file systems do not say how large they are: nothing is reserved there
    if (bavail * bsize >= reservedBytes) return null
    return describeFault('disk-full', 'The daemon takes nothing new')
  }

  #fileSystem(): StatsFs {
    return statfsSync(dirname(this.#database.path))
  }

  #facts(): HealthFacts {
    const { path } = this.#database
    const { bavail, bsize } = this.#fileSystem()
    return {
      freeBytes: bavail * bsize,
      fileBytes: sizeOf(path),
      logBytes: sizeOf(`${path}-wal`),
    }
  }
}
