import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { KeyedCertificate } from './authority.ts'
import type { KeyRequest } from './provider-tokens.ts'

/**
 * Keeps what a simulator's credentials depend on, so that they stay good after a restart:
 * `authority.json` and `keys.json`, readable for their owner alone.
 */
export class StateFolder {
  readonly #path: string

  private constructor(path: string) {
    this.#path = path
  }

  /** Opens a folder, and makes it where there is none. */
  static open(path: string): StateFolder {
    mkdirSync(path, { recursive: true, mode: 0o700 })
    return new StateFolder(path)
  }

  /** Gives the authority; undefined in a new folder. */
  authority(): KeyedCertificate | undefined {
    return this.#read('authority.json') as KeyedCertificate | undefined
  }

  keepAuthority({ certificatePem, privateKeyPem }: KeyedCertificate): void {
    this.#write('authority.json', { certificatePem, privateKeyPem })
  }

  /** Gives the keys, each with what it is good for. */
  keys(): KeyRequest[] {
    return (this.#read('keys.json') as KeyRequest[] | undefined) ?? []
  }

  /** Keeps a key, in place of an earlier one with its key ID. */
  keepKey(key: KeyRequest): void {
    const others = this.keys().filter(({ keyId }) => keyId !== key.keyId)
    this.#write('keys.json', [...others, key])
  }

  #read(name: string): unknown {
    const path = join(this.#path, name)
    return existsSync(path) ? JSON.parse(readFileSync(path, 'utf8')) : undefined
  }

  /** Writes a file as a whole: a crash leaves the old content or the new. */
  #write(name: string, content: unknown): void {
    const path = join(this.#path, name)
    writeFileSync(`${path}.new`, JSON.stringify(content, null, 2), { mode: 0o600 })
    renameSync(`${path}.new`, path)
  }
}
