import type { App } from '../core/apps/app.ts'
import { WatchedFile, type WatchedFileParts } from './watched-file.ts'

export interface CredentialFileWatchParts extends WatchedFileParts {
  readonly listApps: () => readonly App[]
  /** How often each file is looked at, whatever its folder has told. */
  readonly pollMs: number
}

/**
 * Looks after the files that apps got their credentials from, so that a renewed one is taken up without a call: when
 * its folder tells of a change, when the daemon starts, and every so often, since network file systems tell nothing.
 */
export class CredentialFileWatch {
  readonly #parts: CredentialFileWatchParts
  readonly #files = new Map<string, WatchedFile>()
  #timer: NodeJS.Timeout | undefined

  constructor(parts: CredentialFileWatchParts) {
    this.#parts = parts
  }

  start(): void {
    this.#timer = setInterval(() => {
      for (const file of this.#files.values()) file.lookAgain()
    }, this.#parts.pollMs)
    this.#timer.unref()
    this.update()
  }

  stop(): void {
    clearInterval(this.#timer)
    this.#timer = undefined
    for (const appId of this.#files.keys()) this.#forget(appId)
  }

  /** Follows the apps: called whenever one has changed. */
  update(): void {
    if (this.#timer === undefined) return
    const paths = new Map<string, string>()
    for (const { id, credentialFile } of this.#parts.listApps())
      if (credentialFile !== undefined) paths.set(id, credentialFile)
    for (const [appId, file] of this.#files) if (paths.get(appId) !== file.path) this.#forget(appId)
    for (const [appId, path] of paths) if (!this.#files.has(appId)) this.#watch(appId, path)
  }

  /** What is wrong with an app's file by now, so that its old credential is kept; undefined where nothing is. */
  problemOf(appId: string): string | undefined {
    return this.#files.get(appId)?.problem
  }

  #watch(appId: string, path: string): void {
    const file = new WatchedFile(appId, path, this.#parts)
    this.#files.set(appId, file)
    file.lookAgain()
  }

  #forget(appId: string): void {
    this.#files.get(appId)?.stop()
    this.#files.delete(appId)
  }
}
