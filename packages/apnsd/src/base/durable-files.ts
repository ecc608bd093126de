import {
  closeSync,
  fsyncSync,
  mkdirSync,
  openSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { dirname, resolve } from 'node:path'

const DISK_FAILURES = ['EIO', 'ENOSPC', 'EDQUOT']

/**
 * Makes a folder and those above it that are missing. When this returns they outlive a power cut, also where an earlier
 * process made the folder and was killed.
 */
export function makeDurableFolder(folder: string, mode: number): void {
  let path = resolve(folder)
  const first = mkdirSync(path, { recursive: true, mode }) ?? path
  // a new name is durable when the folder that it stands in was synced
  for (; path !== first; path = dirname(path)) syncFolder(dirname(path))
  syncFolder(dirname(first))
}

/** Writes a file so that a power cut leaves the whole of it or nothing. It is durable when this returns. */
export function writeDurableFile(path: string, text: string, mode: number): void {
  const unfinished = `${path}.new`
  // one that was left behind may have another mode
  rmSync(unfinished, { force: true })
  writeFileSync(unfinished, text, { mode, flush: true })
  renameSync(unfinished, path)
  syncFolder(dirname(path))
}

/**
 * Makes durable which names stand in a folder. Where that is not to be had, because we may not read the folder or its file
 * system does not do it, the file system's own order of writing has to do.
 * @throws where the disk fails
 */
export function syncFolder(path: string): void {
  let descriptor: number | undefined
  try {
    descriptor = openSync(path, 'r')
    fsyncSync(descriptor)
  } catch (error) {
    if (DISK_FAILURES.includes((error as NodeJS.ErrnoException).code ?? '')) throw error
  } finally {
    if (descriptor !== undefined) closeSync(descriptor)
  }
}
