import { randomBytes } from 'node:crypto'
import { readFileSync, renameSync, rmSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { syncFolder, writeDurableFile } from '../base/durable-files.ts'
import { ApnsdError } from '../base/errors.ts'
import { describeFault, faultOfSystemError } from '../base/storage-error.ts'
import { SECRET_KEY_BYTES } from './secret-box.ts'

const HEX = /^[0-9a-f]{64}$/i

/** Where a data folder keeps its key. */
export const keyPath = (folder: string): string => join(folder, 'secret.key')
/** The key that is about to take its place. Whether it already counts, the database says. */
export const nextKeyPath = (folder: string): string => join(folder, 'secret.key.next')

/** Makes a new key, as good as any. */
export const randomKey = (): Buffer => randomBytes(SECRET_KEY_BYTES)

/**
 * Reads a key from its text: 64 hex digits.
 * @param where as the error calls it
 * @throws {ApnsdError} invalid-configuration
 */
export function parseKey(text: string, where: string): Buffer {
  const digits = text.trim()
  if (HEX.test(digits)) return Buffer.from(digits, 'hex')
  throw new ApnsdError(
    'invalid-configuration',
    `${where} is not ${2 * SECRET_KEY_BYTES} hex digits.`,
    { hint: 'openssl rand -hex 32 makes one.' },
  )
}

/**
 * Reads a key file; undefined where there is none.
 * @throws {ApnsdError} invalid-configuration: malformed, or others than its owner may read it; storage-failed
 */
export function readKeyFile(path: string): Buffer | undefined {
  try {
    refuseIfOthersMayRead(path)
    return parseKey(readFileSync(path, 'utf8'), path)
  } catch (cause) {
    if (cause instanceof ApnsdError) throw cause
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw fault(path, 'cannot be read', cause)
  }
}

/** Reads the next key; undefined where there is none, or none that was written to its end. */
export function readNextKey(folder: string): Buffer | undefined {
  try {
    return readKeyFile(nextKeyPath(folder))
  } catch (error) {
    if (error instanceof ApnsdError && error.code === 'invalid-configuration') return undefined
    throw error
  }
}

/**
 * Writes the next key, in place of any that was left behind. It outlives a power cut when this returns.
 * @throws {ApnsdError} storage-failed
 */
export function writeNextKey(folder: string, key: Buffer): void {
  const path = nextKeyPath(folder)
  try {
    writeDurableFile(path, `${key.toString('hex')}\n`, 0o600)
  } catch (cause) {
    throw fault(path, 'cannot be written', cause)
  }
}

/** Puts the next key in the place of the present one, in one step, and not to be undone by a power cut. */
export function adoptNextKey(folder: string): void {
  renameSync(nextKeyPath(folder), keyPath(folder))
  syncFolder(folder)
}

/** Throws a next key away that never came to count. */
export function discardNextKey(folder: string): void {
  rmSync(nextKeyPath(folder), { force: true })
}

const fault = (path: string, what: string, cause: unknown): ApnsdError =>
  describeFault(faultOfSystemError(cause) ?? 'io-error', `${path} ${what}`, { cause })

function refuseIfOthersMayRead(path: string): void {
  const OTHERS = 0o077
  if ((statSync(path).mode & OTHERS) !== 0)
    throw new ApnsdError('invalid-configuration', `${path} can be read by others than its owner.`, {
      hint: `chmod 600 ${path}`,
    })
}
