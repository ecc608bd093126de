import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** A temporary folder in which commands make keys, certificates and files of them. */
export class OpensslFolder {
  readonly path = mkdtempSync(join(tmpdir(), 'apnsd-openssl-'))

  write(name: string, content: string | Uint8Array): string {
    const path = join(this.path, name)
    writeFileSync(path, content)
    return path
  }

  read(name: string): Buffer {
    return readFileSync(join(this.path, name))
  }

  /** Runs `openssl` within the folder; throws with what it said where it fails. */
  openssl(...args: string[]): Buffer {
    return this.run('openssl', ...args)
  }

  run(command: string, ...args: string[]): Buffer {
    return execFileSync(command, args, { cwd: this.path, stdio: ['ignore', 'pipe', 'pipe'] })
  }

  close(): void {
    rmSync(this.path, { recursive: true, force: true })
  }
}
