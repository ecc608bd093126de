import { ApnsdError, type ErrorDetails } from './errors.ts'

/** What can be wrong with the disk or the data file, as far as an operator would do different things about it. */
export type StorageFault = keyof typeof FAULTS

interface FaultDescription {
  /** Ends a sentence: "The data file … cannot be used: …". */
  readonly what: string
  /** What the operator can do. */
  readonly remedy: string
  /** True where it may be over without anybody touching the data folder. */
  readonly passes: boolean
}

const FAULTS = {
  'disk-full': {
    what: 'the disk is full',
    remedy: 'Make room on the disk of the data folder; a running daemon then goes on by itself.',
    passes: true,
  },
  'quota-reached': {
    what: 'the disk quota of the daemon’s user is used up',
    remedy: 'Raise the quota or make room; a running daemon then goes on by itself.',
    passes: true,
  },
  'file-too-large': {
    what: 'a limit on the size of files keeps the data file from growing',
    remedy: 'Raise the limit: ulimit -f, or LimitFSIZE= of the service.',
    passes: true,
  },
  'read-only': {
    what: 'the file or its disk is read-only',
    remedy:
      'Make it writable. A disk may have become read-only by itself: the system’s log says why.',
    passes: true,
  },
  'no-permission': {
    what: 'the daemon’s user may not read and write there',
    remedy: 'Give the data folder and all files in it to the user that the daemon runs as.',
    passes: false,
  },
  missing: {
    what: 'it is not there',
    remedy: 'Put it back, or name another data folder with --data.',
    passes: true,
  },
  damaged: {
    what: 'the data file is damaged',
    remedy: 'Stop the daemon and start it again: it then says how to save what can be read.',
    passes: false,
  },
  'not-sqlite': {
    what: 'it is not an SQLite file',
    remedy: 'Put the right file back, or move this one away to start with nothing.',
    passes: false,
  },
  'not-ours': {
    what: 'it is not a data file of this apnsd',
    remedy: 'Name another data folder with --data.',
    passes: false,
  },
  busy: {
    what: 'another process holds the data file',
    remedy: 'End whatever else has it open.',
    passes: true,
  },
  'no-locks': {
    what: 'the file system has no locks or no shared memory, as is often so with network file systems',
    remedy: 'Put the data folder on a local disk.',
    passes: false,
  },
  'io-error': {
    what: 'the disk reports an error',
    remedy: 'The system’s log says more about the disk.',
    passes: true,
  },
  'out-of-memory': {
    what: 'there is no memory left',
    remedy: 'Give the daemon more memory.',
    passes: true,
  },
  'cannot-open': {
    what: 'a file cannot be opened',
    remedy: 'Look at the data folder and its files: owner, mode, and what else is in it.',
    passes: true,
  },
} as const satisfies Record<string, FaultDescription>

/** When to try again after a fault that may pass: soon enough for a person, seldom enough for a full disk. */
const RETRY_AFTER_S = 10

/** The disk or the data file failed. Always `storage-failed`; `fault` says what it is. */
export class StorageError extends ApnsdError {
  readonly fault: StorageFault

  constructor(fault: StorageFault, message: string, details: ErrorDetails = {}) {
    super('storage-failed', message, details)
    this.name = 'StorageError'
    this.fault = fault
  }
}

/** What `node:sqlite` throws when the disk or the file fails. */
interface StorageFailure extends Error {
  /** SQLite's extended result code. */
  readonly errcode: number
}

/** True for what SQLite threw about the disk or the file; false for a mistake of ours, which is to be seen as one. */
export function isStorageFailure(error: unknown): error is StorageFailure {
  return (
    error instanceof Error &&
    'errcode' in error &&
    typeof error.errcode === 'number' &&
    faultOf(error.errcode) !== undefined
  )
}

/**
 * Puts what SQLite threw into words of ours.
 * @param what what could not be done: "The daemon could not write this down"
 * @param diagnose asked where SQLite says no more than that input or output failed; null where it finds nothing
 */
export function toStorageError(
  error: StorageFailure,
  what: string,
  diagnose: () => StorageFault | null,
): StorageError {
  const named = faultOf(error.errcode) ?? 'io-error'
  const fault = named === 'io-error' || named === 'cannot-open' ? (diagnose() ?? named) : named
  return describeFault(fault, what, { cause: error })
}

/** Puts a fault into words. */
export function describeFault(
  fault: StorageFault,
  what: string,
  details: ErrorDetails = {},
): StorageError {
  const { what: why, remedy, passes } = FAULTS[fault]
  return new StorageError(fault, `${what}: ${why}.`, {
    hint: remedy,
    ...(passes ? { retryAfterS: RETRY_AFTER_S } : {}),
    ...details,
  })
}

/** SQLite's extended result codes that say more than their primary one. [sqlite.org/rescode.html] */
const BY_EXTENDED_CODE: Readonly<Record<number, StorageFault>> = {
  776: 'read-only', // READONLY_ROLLBACK
  1544: 'no-permission', // READONLY_DIRECTORY: the folder takes no new file
  3850: 'no-locks', // IOERR_LOCK
  5130: 'no-locks', // IOERR_SHMLOCK
  5386: 'no-locks', // IOERR_SHMMAP
  3082: 'out-of-memory', // IOERR_NOMEM
  8458: 'damaged', // IOERR_CORRUPTFS
}

const BY_PRIMARY_CODE: Readonly<Record<number, StorageFault>> = {
  3: 'no-permission', // PERM
  5: 'busy', // BUSY
  6: 'busy', // LOCKED
  7: 'out-of-memory', // NOMEM
  8: 'read-only', // READONLY
  10: 'io-error', // IOERR
  11: 'damaged', // CORRUPT
  13: 'disk-full', // FULL
  14: 'cannot-open', // CANTOPEN
  15: 'no-locks', // PROTOCOL
  22: 'file-too-large', // NOLFS
  26: 'not-sqlite', // NOTADB
}

function faultOf(code: number): StorageFault | undefined {
  return BY_EXTENDED_CODE[code] ?? BY_PRIMARY_CODE[code & 0xff]
}

const BY_SYSTEM_CODE: Readonly<Record<string, StorageFault>> = {
  ENOSPC: 'disk-full',
  EDQUOT: 'quota-reached',
  EFBIG: 'file-too-large',
  EROFS: 'read-only',
  EACCES: 'no-permission',
  EPERM: 'no-permission',
  EIO: 'io-error',
  ENOMEM: 'out-of-memory',
  ENOENT: 'missing',
  ENOTDIR: 'missing',
}

/** What an error of the operating system means for storage; null where it says nothing about it. */
export function faultOfSystemError(error: unknown): StorageFault | null {
  if (!(error instanceof Error) || !('syscall' in error)) return null
  return BY_SYSTEM_CODE[(error as NodeJS.ErrnoException).code ?? ''] ?? null
}
