import {
  accessSync,
  closeSync,
  constants,
  fsyncSync,
  openSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs'
import { dirname } from 'node:path'
import {
  describeFault,
  faultOfSystemError,
  StorageError,
  type StorageFault,
} from './storage-error.ts'

/** The files that SQLite keeps beside its own while it is open, or when its process was killed. */
export const COMPANIONS = ['-wal', '-shm'] as const

/** As much as a commit of some size needs. */
const PROBE_BYTES = 64 * 1024

/**
 * Checks what can be known of a data file before SQLite opens it. SQLite takes a read-only file without a word, and an
 * empty one for a new one.
 * @returns whether the file is there
 * @throws {StorageError}
 */
export function checkDataFile(path: string): boolean {
  checkAccess(dirname(path), constants.R_OK | constants.W_OK | constants.X_OK)
  const bytes = sizeOf(path)
  const logBytes = sizeOf(`${path}-wal`) ?? 0
  if (bytes === null && logBytes > 0)
    throw new StorageError('damaged', `${path} is missing, but its log ${path}-wal is there.`, {
      hint: 'Put the file back. Or move the log away as well, to start with nothing.',
    })
  if (bytes === 0)
    throw new StorageError('damaged', `The data file ${path} is empty, which it never is.`, {
      hint: `Put a copy of it back. Or move it and ${path}-wal away to start with nothing.`,
    })
  for (const file of [path, ...COMPANIONS.map((suffix) => path + suffix)])
    if (sizeOf(file) !== null) checkAccess(file, constants.R_OK | constants.W_OK)
  return bytes !== null
}

/** Bytes of a file; null where there is none. */
export function sizeOf(path: string): number | null {
  return statSync(path, { throwIfNoEntry: false })?.size ?? null
}

/** Tells a file from another that has its name by now; null where there is none. */
export function identityOf(path: string): string | null {
  const stats = statSync(path, { throwIfNoEntry: false })
  return stats === undefined ? null : `${stats.dev}:${stats.ino}`
}

/** @throws {StorageError} where this process may not do with a file or folder what it must */
export function checkAccess(path: string, mode: number): void {
  try {
    accessSync(path, mode)
  } catch (cause) {
    throw describeFault(faultOfSystemError(cause) ?? 'cannot-open', `${path} cannot be used`, {
      cause,
    })
  }
}

/**
 * Finds out why the disk refuses what SQLite wants to write: SQLite says "input/output error", the system its reason.
 * Writes a file beside the data file, at an offset where the next bytes of the larger one would stand.
 * @returns null where that works
 */
export function diagnose(path: string): StorageFault | null {
  const probe = `${path}.probe`
  const offset = Math.max(sizeOf(path) ?? 0, sizeOf(`${path}-wal`) ?? 0)
  try {
    const file = openSync(probe, 'w', 0o600)
    try {
      writeWhole(file, Buffer.alloc(PROBE_BYTES), offset)
      fsyncSync(file)
    } finally {
      closeSync(file)
    }
    return null
  } catch (error) {
    return faultOfSystemError(error)
  } finally {
    removeIfPossible(probe)
  }
}

function removeIfPossible(path: string): void {
  try {
    rmSync(path, { force: true })
  } catch {
    // the fault that is being looked into; the next probe writes over it
  }
}

/** A disk that is nearly full takes a part first, and refuses the rest. */
function writeWhole(file: number, bytes: Buffer, offset: number): void {
  for (let done = 0; done < bytes.length; )
    done += writeSync(file, bytes, done, bytes.length - done, offset + done)
}
