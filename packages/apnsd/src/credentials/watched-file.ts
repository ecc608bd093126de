import { createHash } from 'node:crypto'
import { dirname } from 'node:path'
import { toApnsdError } from '../base/errors.ts'
import type { Log } from '../base/log.ts'
import type { WatchFolder } from './watch-folder.ts'

/** Who writes a file tells of it many times over: it is read once for so long, at the end. */
const SETTLE_MS = 100

export interface WatchedFileParts {
  readonly read: (path: string) => Promise<Uint8Array>
  /** Hands in what an app's file holds by now; the same again changes nothing. Rejects where it cannot be used. */
  readonly renew: (appId: string, path: string, file: Uint8Array) => Promise<void>
  readonly log: Log
  readonly watchFolder: WatchFolder
}

/**
 * The credential file of one app. Its folder is watched rather than the file, since files are renewed by renaming: the
 * file itself, or, in Kubernetes, a link further up the way.
 */
export class WatchedFile {
  readonly path: string
  readonly #appId: string
  readonly #parts: WatchedFileParts
  #folder: { close(): void } | null = null
  #settling: NodeJS.Timeout | undefined
  #state: 'idle' | 'reading' | 'reading, and to be read again' | 'stopped' = 'idle'
  /** Of the content that the app has by now. */
  #taken: string | undefined
  /** Of the content, or of the sentence, that was complained of last. */
  #complainedOf: string | undefined
  #problem: string | undefined

  constructor(appId: string, path: string, parts: WatchedFileParts) {
    this.#appId = appId
    this.path = path
    this.#parts = parts
  }

  get problem(): string | undefined {
    return this.#problem
  }

  /** Watches the folder that the path leads to by now, and reads the file. */
  lookAgain(): void {
    this.#folder?.close()
    this.#folder = this.#parts.watchFolder(dirname(this.path), () => this.#folderChanged())
    void this.#read()
  }

  stop(): void {
    this.#state = 'stopped'
    clearTimeout(this.#settling)
    this.#folder?.close()
  }

  #folderChanged(): void {
    this.#settling ??= setTimeout(() => {
      this.#settling = undefined
      void this.#read()
    }, SETTLE_MS)
  }

  async #read(): Promise<void> {
    if (this.#state === 'stopped') return
    if (this.#state !== 'idle') {
      this.#state = 'reading, and to be read again'
      return
    }
    this.#state = 'reading'
    await this.#take()
    if (this.#is('stopped')) return
    const again = this.#is('reading, and to be read again')
    this.#state = 'idle'
    if (again) void this.#read()
  }

  /** Reads the state anew: it changes while a call is awaited, which the compiler does not see. */
  #is(state: 'stopped' | 'reading, and to be read again'): boolean {
    return this.#state === state
  }

  async #take(): Promise<void> {
    let content: string | undefined
    try {
      const bytes = await this.#parts.read(this.path)
      content = createHash('sha256').update(bytes).digest('hex')
      if (this.#is('stopped')) return
      if (content !== this.#taken) await this.#parts.renew(this.#appId, this.path, bytes)
      this.#taken = content
      this.#complainedOf = undefined
      this.#problem = undefined
    } catch (error) {
      this.#complain(error, content)
    }
  }

  /** The app keeps the credential that it has. Said once for each content. */
  #complain(thrown: unknown, content: string | undefined): void {
    if (this.#is('stopped')) return
    const error = toApnsdError(thrown)
    this.#problem = error.message
    const about = content ?? error.message
    if (about === this.#complainedOf) return
    this.#complainedOf = about
    this.#parts.log.warn(
      {
        app: this.#appId,
        file: this.path,
        code: error.code,
        problem: error.message,
        ...(error.code === 'internal' ? { err: error } : {}),
      },
      'the credential file cannot be used: the app keeps the credential that it has',
    )
  }
}
