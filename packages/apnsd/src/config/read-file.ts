import { readFileSync } from 'node:fs'
import { ApnsdError } from '../base/errors.ts'

/**
 * Reads a file that a setting names.
 * @param what as the error calls it: `configuration file`
 * @throws {ApnsdError} invalid-configuration
 */
export function readSettingsFile(what: string, path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException
    const why = code === 'ENOENT' ? 'is not there' : `cannot be read (${code})`
    throw new ApnsdError('invalid-configuration', `The ${what} ${path} ${why}.`, { cause })
  }
}
