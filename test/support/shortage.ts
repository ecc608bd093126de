import { execFileSync, spawnSync } from 'node:child_process'
import {
  closeSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  rmdirSync,
  rmSync,
  statfsSync,
  statSync,
  truncateSync,
  writeSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Stage } from './stage.ts'

/** A way for the daemon's data file to find no room, and to find it again. */
export interface Shortage {
  /** What the daemon says that it is. */
  readonly fault: string
  /** As the sentence in a refusal. */
  readonly sentence: RegExp
  /** Prepares the data folder, before the first start. */
  prepare(): void
  /** From now on there is no room but for about so many bytes. */
  begin(roomBytes?: number): void
  end(): void
  /** What to start the daemon under where the shortage is to be there from the start. */
  readonly under: readonly string[]
  /** Puts things back as they were, after the daemon has ended. */
  release(): void
}

/** The ways that this machine has. The second needs no rights, so there is always one. */
export function shortages(): { name: string; on: (stage: Stage) => Shortage }[] {
  const limit = { name: 'a limit on the size of files', on: (stage: Stage) => new FileLimit(stage) }
  return mayMount()
    ? [{ name: 'a full disk', on: (stage: Stage) => new FullDisk(stage) }, limit]
    : [limit]
}

/** True where this process may mount file systems, as root outside of most containers. */
export function mayMount(): boolean {
  const folder = mkdtempSync(join(tmpdir(), 'apnsd-test-'))
  const { status } = spawnSync('mount', ['-t', 'tmpfs', 'tmpfs', folder])
  if (status === 0) execFileSync('umount', [folder])
  rmdirSync(folder)
  return status === 0
}

const DISK_BYTES = 4 * 1024 * 1024
/** The daemon takes nothing new when less than a twentieth of a small disk is free. */
const RESERVED_BYTES = Math.ceil(DISK_BYTES / 20)

/** A disk of 4 MiB that somebody else fills. */
class FullDisk implements Shortage {
  readonly fault = 'disk-full'
  readonly sentence = /the disk is full\. Make room/
  readonly under = []
  readonly #folder: string
  readonly #filler: string

  constructor(stage: Stage) {
    this.#folder = stage.dataFolder
    this.#filler = join(this.#folder, 'somebody-elses')
  }

  prepare(): void {
    mkdirSync(this.#folder, { recursive: true })
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${DISK_BYTES}`, 'tmpfs', this.#folder])
  }

  begin(roomBytes = 0): void {
    const file = openSync(this.#filler, 'w')
    let bytes = 0
    try {
      for (;;) bytes += writeSync(file, Buffer.alloc(4096))
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error
    } finally {
      closeSync(file)
    }
    if (roomBytes > 0) truncateSync(this.#filler, bytes - roomBytes - RESERVED_BYTES)
    const { bavail } = statfsSync(this.#folder)
    if (roomBytes === 0 && bavail > 0) throw new Error('the disk did not fill')
  }

  end(): void {
    rmSync(this.#filler)
  }

  release(): void {
    execFileSync('umount', [this.#folder])
  }
}

/** A limit on how large the daemon's files may become, as a service has it by LimitFSIZE. */
class FileLimit implements Shortage {
  readonly fault = 'file-too-large'
  readonly sentence =
    /a limit on the size of files keeps the data file from growing\. Raise the limit/
  readonly under = ['prlimit', '--fsize=4096:']
  readonly #stage: Stage

  constructor(stage: Stage) {
    this.#stage = stage
  }

  prepare(): void {
    mkdirSync(this.#stage.dataFolder, { recursive: true })
  }

  begin(roomBytes = 0): void {
    const file = join(this.#stage.dataFolder, 'apnsd.db')
    const bytes = Math.max(statSync(file).size, statSync(`${file}-wal`).size)
    this.#limit(String(roomBytes === 0 ? 4096 : bytes + roomBytes))
  }

  end(): void {
    this.#limit('unlimited')
  }

  release(): void {
    // the limit was the process's, and has ended with it
  }

  #limit(bytes: string): void {
    execFileSync('prlimit', ['--pid', String(this.#stage.daemon.pid), `--fsize=${bytes}:`])
  }
}
