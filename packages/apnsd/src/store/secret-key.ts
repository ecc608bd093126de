import { randomBytes } from 'node:crypto'
import {
  closeSync,
  fsyncSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { dirname, join } from 'node:path'
import { syncFolder } from '../base/data-file.ts'
import { ApnsdError } from '../base/errors.ts'
import { describeFault, faultOfSystemError } from '../base/storage-error.ts'
import { SECRET_KEY_BYTES } from './secret-box.ts'

const FILE_NAME = 'secret.key'
const HEX = /^[0-9a-f]{64}$/i

/**
 * Finds the key that credentials are sealed with: the configured one, else the one in the data folder, which is made at
 * the first start (64 hex digits, readable by its owner alone).
 * @param configured 64 hex digits, from the environment or the service manager
 * @throws {ApnsdError} invalid-configuration, storage-failed
 */
export function loadSecretKey(folder: string, configured: string | undefined): Buffer {
  if (configured !== undefined) return parseKey(configured, 'The configured secret key')
  const path = join(folder, FILE_NAME)
  return parseKey(readOrMake(path), path)
}

function parseKey(text: string, where: string): Buffer {
  const digits = text.trim()
  if (HEX.test(digits)) return Buffer.from(digits, 'hex')
  throw new ApnsdError(
    'invalid-configuration',
    `${where} is not ${2 * SECRET_KEY_BYTES} hex digits.`,
    { hint: 'openssl rand -hex 32 makes one.' },
  )
}

function readOrMake(path: string): string {
  try {
    refuseIfOthersMayRead(path)
    return readFileSync(path, 'utf8')
  } catch (cause) {
    if (cause instanceof ApnsdError) throw cause
    if ((cause as NodeJS.ErrnoException).code !== 'ENOENT')
      throw describeFault(faultOfSystemError(cause) ?? 'io-error', `${path} cannot be read`, {
        cause,
      })
  }
  const key = randomBytes(SECRET_KEY_BYTES).toString('hex')
  try {
    writeKey(path, key)
  } catch (cause) {
    throw describeFault(faultOfSystemError(cause) ?? 'io-error', `${path} cannot be written`, {
      cause,
    })
  }
  return key
}

/** Writes it under another name first: under its own it is whole, or not there. */
function writeKey(path: string, key: string): void {
  const draft = `${path}.new`
  rmSync(draft, { force: true })
  const file = openSync(draft, 'wx', 0o600)
  try {
    writeFileSync(file, `${key}\n`)
    // it must outlive a power cut as surely as what is sealed with it
    fsyncSync(file)
  } finally {
    closeSync(file)
  }
  renameSync(draft, path)
  syncFolder(dirname(path))
}

function refuseIfOthersMayRead(path: string): void {
  const OTHERS = 0o077
  if ((statSync(path).mode & OTHERS) !== 0)
    throw new ApnsdError('invalid-configuration', `${path} can be read by others than its owner.`, {
      hint: `chmod 600 ${path}`,
    })
}
