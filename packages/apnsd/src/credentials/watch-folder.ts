import { type FSWatcher, watch } from 'node:fs'

/**
 * Calls back whenever something in a folder changes, until it is closed.
 * @returns null where the folder cannot be watched: it is not there, or the system's watches are used up
 */
export type WatchFolder = (folder: string, onChange: () => void) => { close(): void } | null

/** Watches by what the operating system tells; on Linux inotify. */
export const watchFolder: WatchFolder = (folder, onChange) => {
  try {
    const watcher: FSWatcher = watch(folder, { persistent: false }, onChange)
    watcher.on('error', () => watcher.close())
    return watcher
  } catch {
    return null
  }
}
