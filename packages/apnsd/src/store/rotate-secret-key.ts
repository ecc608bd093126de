import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { Database } from '../base/database.ts'
import { ApnsdError } from '../base/errors.ts'
import { FolderLock } from '../base/folder-lock.ts'
import { STORE_MIGRATIONS } from './migrations.ts'
import { SecretBox } from './secret-box.ts'
import { isSealedWith, noteKey, openSecretKey } from './secret-key.ts'
import { adoptNextKey, randomKey, readKeyFile, writeNextKey } from './secret-key-files.ts'
import { resealCredentials } from './sqlite-app-store.ts'

export interface RotationRequest {
  /** The data folder; no daemon may use it. */
  readonly folder: string
  /** The present key, where it is configured rather than kept in the folder. */
  readonly configured?: string | undefined
  /** A file with the new key; needed where the key is configured, else a random one is made. */
  readonly newKeyFile?: string | undefined
}

/** What has been done so far. After each of them the folder is one that a daemon starts with. */
export type RotationStep =
  | 'begun'
  | 'new key written'
  | 'sealed anew'
  | 'new key in place'
  | 'wiped'

/**
 * Seals every credential of a data folder with a new key.
 *
 *     secret.key.next written ──▶ all sealed anew, in one transaction ──▶ secret.key.next becomes secret.key
 *
 * The transaction is what counts: it also writes down which key the credentials are sealed with, so that whoever finds
 * the folder between two steps knows which of the two files is the key. Where the key is configured there are no files
 * of ours, and the operator has both keys.
 *
 * @returns how many credentials were sealed anew; 0 where they were sealed with the new key already
 * @throws {ApnsdError} invalid-argument, invalid-configuration, data-folder-in-use, storage-failed
 */
export function rotateSecretKey(request: RotationRequest): number {
  const rotation = rotate(request)
  for (;;) {
    const { done, value } = rotation.next()
    if (done === true) return value
  }
}

/** As {@link rotateSecretKey}, halting after each step. */
export function* rotate(request: RotationRequest): Generator<RotationStep, number> {
  const { folder, configured, newKeyFile } = request
  const given = newKeyFile === undefined ? undefined : readNewKey(newKeyFile)
  if (configured !== undefined && given === undefined) throw missingNewKey()
  if (!existsSync(join(folder, 'apnsd.db')))
    throw new ApnsdError('invalid-argument', `${folder} is no data folder of apnsd.`, {
      hint: 'Name it with --data, or with --config as for apnsd serve.',
    })
  const lock = FolderLock.take(folder)
  try {
    const database = Database.open(join(folder, 'apnsd.db'), STORE_MIGRATIONS)
    try {
      return yield* rotateIn(database, folder, configured, given ?? randomKey())
    } finally {
      database.close()
    }
  } finally {
    lock.release()
  }
}

function* rotateIn(
  database: Database,
  folder: string,
  configured: string | undefined,
  next: Buffer,
): Generator<RotationStep, number> {
  // asked for twice, perhaps because the first time was cut short: the old key fits no more
  if (configured !== undefined && isSealedWith(database, next)) return noteAlone(database, next)
  const present = openSecretKey(folder, configured, database)
  if (present.equals(next)) return 0
  yield 'begun'
  if (configured === undefined) {
    writeNextKey(folder, next)
    yield 'new key written'
  }
  const count = database.transaction(() => {
    noteKey(database, next)
    return resealCredentials(database, new SecretBox(present), new SecretBox(next))
  })
  yield 'sealed anew'
  if (configured === undefined) {
    adoptNextKey(folder)
    yield 'new key in place'
  }
  wipe(database)
  yield 'wiped'
  return count
}

/** Writes the file anew: pages hold copies of what SQLite has moved or let go of, and the old key opens them. */
function wipe(database: Database): void {
  try {
    database.prepare('VACUUM').run()
    database.get('PRAGMA wal_checkpoint(TRUNCATE)')
  } catch (cause) {
    throw new ApnsdError(
      'storage-failed',
      'The new key is in its place, but the data file could not be written anew: it may still hold what the old key opens.',
      { hint: 'Make room on the disk for a second copy of it, then rotate once more.', cause },
    )
  }
}

function noteAlone(database: Database, key: Buffer): number {
  database.transaction(() => noteKey(database, key))
  return 0
}

function readNewKey(path: string): Buffer {
  const key = readKeyFile(path)
  if (key !== undefined) return key
  throw new ApnsdError('invalid-argument', `The new key’s file ${path} is not there.`, {
    hint: `Make it: (umask 077; openssl rand -hex 32 > ${path})`,
  })
}

const missingNewKey = (): ApnsdError =>
  new ApnsdError(
    'invalid-argument',
    'The secret key is configured, so the new one has to come from you.',
    {
      hint: 'Make it: (umask 077; openssl rand -hex 32 > new.key); then name it with --new-key-file new.key.',
    },
  )
