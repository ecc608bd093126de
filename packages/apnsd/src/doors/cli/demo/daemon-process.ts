import { type ChildProcess, spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'

const LAUNCHER = fileURLToPath(new URL('../../../../bin/apnsd.js', import.meta.url))
/** Lines of log kept; the daemon says little. */
const MAX_LINES = 10_000

/** One line of the daemon's log. */
export type LogLine = Readonly<Record<string, unknown>> & { readonly msg: string }

interface Waiter {
  readonly matches: (line: LogLine) => boolean
  readonly resolve: (line: LogLine) => void
  readonly reject: (error: Error) => void
}

type Variables = Readonly<Record<string, string | undefined>>

export interface ProcessOptions {
  readonly under?: readonly string[]
  readonly environment?: Variables
}

/** The daemon in a process of its own, as `apnsd serve` starts it. */
export class DaemonProcess {
  readonly log: LogLine[] = []
  /** What it wrote to standard error. */
  errors = ''
  url = ''
  readonly #child: ChildProcess
  readonly #exited: Promise<number | null>
  #waiters: Waiter[] = []
  #rest = ''

  private constructor(child: ChildProcess) {
    this.#child = child
    this.#exited = new Promise((resolve) => {
      child.once('close', (code) => {
        resolve(code)
        for (const { reject } of this.#waiters.splice(0))
          reject(new Error(`apnsd serve ended with ${code}: ${this.errors}`))
      })
    })
    child.stdout?.setEncoding('utf8').on('data', (text: string) => this.#read(text))
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.errors += text
    })
  }

  /**
   * Starts `apnsd serve` with `options`, and resolves when it serves.
   * @param under a command that becomes what its further arguments say, such as `prlimit --fsize=4096`
   * @param environment variables besides those of this process, of which it gets none of apnsd's settings
   */
  static async start(
    options: readonly string[],
    { under = [], environment = {} }: ProcessOptions = {},
  ): Promise<DaemonProcess> {
    const env = Object.entries(process.env).filter(([name]) => !name.startsWith('APNSD_'))
    const words = [...under, process.execPath, LAUNCHER, 'serve', ...options]
    const child = spawn(words[0] ?? '', words.slice(1), {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...Object.fromEntries(env), ...environment },
    })
    const daemon = new DaemonProcess(child)
    const ready = await daemon.waitForLog(({ msg }) => msg === 'ready')
    daemon.url = String(ready['url'])
    return daemon
  }

  /** Of its process; 0 where there is none. */
  get pid(): number {
    return this.#child.pid ?? 0
  }

  /** Resolves with the first line of the log, past or to come, that matches; rejects when the process ends without. */
  waitForLog(matches: (line: LogLine) => boolean): Promise<LogLine> {
    const past = this.log.find(matches)
    if (past !== undefined) return Promise.resolve(past)
    return new Promise((resolve, reject) => {
      this.#waiters.push({ matches, resolve, reject })
    })
  }

  /** Reads its log no more, like a log collector that has died. */
  deafen(): void {
    this.#child.stdout?.destroy()
  }

  /** Asks it to drain and stop; resolves with its exit code. */
  stop(): Promise<number | null> {
    this.#child.kill('SIGTERM')
    return this.#exited
  }

  /** Kills it where it stands. */
  async kill(): Promise<void> {
    this.#child.kill('SIGKILL')
    await this.#exited
  }

  #read(text: string): void {
    const lines = (this.#rest + text).split('\n')
    this.#rest = lines.pop() ?? ''
    for (const line of lines) this.#take(JSON.parse(line) as LogLine)
  }

  #take(line: LogLine): void {
    this.log.push(line)
    if (this.log.length > MAX_LINES) this.log.shift()
    this.#waiters = this.#waiters.filter(({ matches, resolve }) => {
      if (!matches(line)) return true
      resolve(line)
      return false
    })
  }
}
