import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, it } from 'node:test'
import { ApnsdError } from '../base/errors.ts'
import { readCredentialFile } from './credential-files.ts'

let folder = ''
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'apnsd-files-'))
})
afterEach(() => rmSync(folder, { recursive: true }))

const codeIs = (code: string) => (error: unknown) =>
  error instanceof ApnsdError && error.code === code

describe('readCredentialFile', () => {
  it('reads a file, and says what is wrong with what is none', async () => {
    const path = join(folder, 'app.pem')
    writeFileSync(path, 'text')
    assert.deepEqual(await readCredentialFile(path), Buffer.from('text'))
    writeFileSync(path, Buffer.alloc(2 * 1024 * 1024))
    mkdirSync(join(folder, 'dir'))
    for (const [bad, problem] of [
      [join(folder, 'absent.pem'), /is not there/],
      [join(folder, 'dir'), /is a folder/],
      [path, /too large/],
      ['/dev/zero', /no plain file/],
      ['a\0b', /cannot be read/],
    ] as const)
      await assert.rejects(
        readCredentialFile(bad),
        (error: unknown) =>
          codeIs('invalid-credential')(error) && problem.test((error as Error).message),
      )
  })
})
