import { randomBytes } from 'node:crypto'
import { closeSync, fsyncSync, openSync, readFileSync, statSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { ApnsdError } from '../base/errors.ts'
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
      throw new ApnsdError('storage-failed', `${path} cannot be read.`, { cause })
  }
  const key = randomBytes(SECRET_KEY_BYTES).toString('hex')
  const file = openSync(path, 'wx', 0o600)
  try {
    writeSync(file, `${key}\n`)
    // it must outlive a power cut as surely as what is sealed with it
    fsyncSync(file)
  } finally {
    closeSync(file)
  }
  return key
}

function refuseIfOthersMayRead(path: string): void {
  const OTHERS = 0o077
  if ((statSync(path).mode & OTHERS) !== 0)
    throw new ApnsdError('invalid-configuration', `${path} can be read by others than its owner.`, {
      hint: `chmod 600 ${path}`,
    })
}
