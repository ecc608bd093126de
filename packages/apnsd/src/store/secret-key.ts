import { randomBytes } from 'node:crypto'
import { readFileSync, statSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { syncFolder, writeDurableFile } from '../base/durable-files.ts'
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

/** Whatever it returns outlives a power cut as surely as what will be sealed with it. */
function readOrMake(path: string): string {
  try {
    refuseIfOthersMayRead(path)
    const key = readFileSync(path, 'utf8')
    // whoever made it may have been killed before its name was durable
    syncFolder(dirname(path))
    return key
  } catch (cause) {
    if (cause instanceof ApnsdError) throw cause
    if ((cause as NodeJS.ErrnoException).code !== 'ENOENT')
      throw new ApnsdError('storage-failed', `${path} cannot be read.`, { cause })
  }
  const key = randomBytes(SECRET_KEY_BYTES).toString('hex')
  writeDurableFile(path, `${key}\n`, 0o600)
  return key
}

function refuseIfOthersMayRead(path: string): void {
  const OTHERS = 0o077
  if ((statSync(path).mode & OTHERS) !== 0)
    throw new ApnsdError('invalid-configuration', `${path} can be read by others than its owner.`, {
      hint: `chmod 600 ${path}`,
    })
}
