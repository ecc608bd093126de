import { readFile, stat } from 'node:fs/promises'
import { ApnsdError } from '../base/errors.ts'

/** A certificate with chain and key has a few KiB. */
const MAX_FILE_BYTES = 1024 * 1024

const EXPLANATIONS: Record<string, string> = {
  ENOENT: 'is not there',
  EACCES: 'may not be read by the daemon',
  EISDIR: 'is a folder',
}

/**
 * Reads a credential file on the daemon's machine.
 * @throws {ApnsdError} invalid-credential: not there, not readable, no plain file, or too large
 */
export async function readCredentialFile(path: string): Promise<Buffer> {
  const fail = (problem: string, cause?: unknown): ApnsdError =>
    new ApnsdError('invalid-credential', `The file ${path.slice(0, 500)} ${problem}.`, {
      hint: 'The path is looked up on the machine that the daemon runs on; the text of the file can be sent instead.',
      cause,
    })
  try {
    const file = await stat(path)
    if (!file.isFile()) throw fail(file.isDirectory() ? 'is a folder' : 'is no plain file')
    if (file.size > MAX_FILE_BYTES) throw fail('is too large for a certificate')
    return await readFile(path)
  } catch (error) {
    if (error instanceof ApnsdError) throw error
    const code = (error as NodeJS.ErrnoException).code ?? ''
    throw fail(EXPLANATIONS[code] ?? 'cannot be read', error)
  }
}
