import { createHmac } from 'node:crypto'
import type { Database } from '../base/database.ts'
import { syncFolder } from '../base/durable-files.ts'
import { ApnsdError } from '../base/errors.ts'
import { SecretBox } from './secret-box.ts'
import {
  adoptNextKey,
  discardNextKey,
  keyPath,
  parseKey,
  randomKey,
  readKeyFile,
  readNextKey,
  writeNextKey,
} from './secret-key-files.ts'
import { canOpenCredentials, hasCredentials } from './sqlite-app-store.ts'

/**
 * Finds the key that the credentials of a data folder are sealed with: the configured one, else the one in the folder,
 * which is made at the first start. A rotation that was cut short is finished or undone: the database knows which key
 * it is sealed with (see rotate-secret-key.ts).
 * @param configured 64 hex digits, from the environment, the settings or the service manager
 * @throws {ApnsdError} invalid-configuration where the key is malformed or another one; storage-failed
 */
export function openSecretKey(
  folder: string,
  configured: string | undefined,
  database: Database,
): Buffer {
  const key =
    configured === undefined
      ? findInFolder(folder, database)
      : checkConfigured(parseKey(configured, 'The configured secret key'), folder, database)
  if (!isNoted(database, key)) database.transaction(() => noteKey(database, key))
  return key
}

/** True where the credentials can be opened with a key; with any key where there are none. */
export function isSealedWith(database: Database, key: Buffer): boolean {
  if (!hasCredentials(database)) return true
  // an older daemon noted nothing
  return notedFingerprint(database) === undefined
    ? canOpenCredentials(database, new SecretBox(key))
    : isNoted(database, key)
}

/** Remembers which key the credentials are sealed with; part of the transaction that seals them. */
export function noteKey(database: Database, key: Buffer): void {
  database
    .prepare('INSERT OR REPLACE INTO secret_key (only_row, fingerprint) VALUES (1, ?)')
    .run(fingerprintOf(key))
}

/** Tells keys apart and says nothing about them. */
const fingerprintOf = (key: Buffer): string =>
  createHmac('sha256', key).update('apnsd secret key').digest('hex')

function notedFingerprint(database: Database): string | undefined {
  const row = database.get('SELECT fingerprint FROM secret_key')
  return row === undefined ? undefined : String(row['fingerprint'])
}

const isNoted = (database: Database, key: Buffer): boolean =>
  notedFingerprint(database) === fingerprintOf(key)

function findInFolder(folder: string, database: Database): Buffer {
  const present = readKeyFile(keyPath(folder))
  if (present !== undefined && isSealedWith(database, present)) {
    discardNextKey(folder)
    // whoever made it may have been killed before its name was durable
    syncFolder(folder)
    return present
  }
  const next = readNextKey(folder)
  if (next !== undefined && hasCredentials(database) && isSealedWith(database, next)) {
    adoptNextKey(folder)
    return next
  }
  if (hasCredentials(database)) throw wrongKeyFile(folder, present !== undefined)
  const key = randomKey()
  writeNextKey(folder, key)
  adoptNextKey(folder)
  return key
}

function checkConfigured(key: Buffer, folder: string, database: Database): Buffer {
  if (isSealedWith(database, key)) return key
  const present = readKeyFile(keyPath(folder))
  throw new ApnsdError(
    'invalid-configuration',
    `The credentials in ${folder} are sealed with another secret key than the configured one.`,
    {
      hint:
        present !== undefined && isSealedWith(database, present)
          ? `The one in ${keyPath(folder)} fits: configure none.`
          : `Configure the one that fits; after apnsd keys rotate-secret that is the new one. ${LOST}`,
    },
  )
}

const LOST =
  'If it is lost, so are the credentials: name another data folder and provision the apps again.'

function wrongKeyFile(folder: string, isThere: boolean): ApnsdError {
  const what = isThere
    ? `another secret key than the one in ${keyPath(folder)}`
    : `a secret key, and ${keyPath(folder)} is not there`
  return new ApnsdError(
    'invalid-configuration',
    `The credentials in ${folder} are sealed with ${what}.`,
    {
      hint: `Put the file back that belongs to them, or configure the key (APNSD_SECRET_KEY) if it was configured before. ${LOST}`,
    },
  )
}
