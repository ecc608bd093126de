import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { BenchError } from '../common/errors.ts'
import type { Usage } from '../common/measured.ts'
import {
  readCpuMicroseconds,
  readPeakRssBytes,
  readRssBytes,
  readWrittenBytes,
} from '../common/process-usage.ts'
import { APP } from './calls.ts'
import { LastWrite } from './last-write.ts'

const LAUNCHER = new URL('../../packages/apnsd/bin/apnsd.js', import.meta.url).pathname

export interface DaemonOptions {
  readonly dataFolder: string
  readonly apnsUrl: string
  /** Path of the PEM file that the counterpart's certificate is issued by. */
  readonly authority: string
  /** Folder for a CPU profile of it; null: none. */
  readonly profileFolder: string | null
  readonly signal: AbortSignal
}

/** A line of the daemon's log, of which the benchmark understands these. */
interface LogLine {
  readonly msg: string
  readonly level: number
  readonly url?: string
  readonly app?: string
  readonly accepted?: number
  readonly others?: Readonly<Record<string, { readonly count: number }>>
}

/** Without a single outcome for so long, some are lost. */
const STALL_MS = 120_000
const READY_WITHIN_MS = 60_000
const STOPS_WITHIN_MS = 60_000
const WRITES_SAMPLE_MS = 5
const WARN = 40
const ERROR_CHARACTERS = 500

/** The daemon in a process of its own, with what its log says of outcomes added up. */
export class MeasuredDaemon {
  url = ''
  /** From its start to the line that says that it serves. */
  readyMs = 0
  readonly pid: number
  /** Notifications that Apple accepted, by the log. */
  accepted = 0
  readonly #startMs: number
  readonly #child: ChildProcess
  readonly #closed: Promise<unknown>
  readonly #signal: AbortSignal
  /** What else the log counted: `3 × BadDeviceToken`. */
  #others = ''
  /** The end of what it said was wrong. */
  #trouble = ''
  #hasEnded = false
  /** When a line with outcomes last came. */
  #lineMs = 0
  readonly #waiters: (() => void)[] = []

  private constructor(child: ChildProcess, pid: number, startMs: number, signal: AbortSignal) {
    this.#startMs = startMs
    this.#child = child
    this.pid = pid
    this.#signal = signal
    this.#closed = once(child, 'close')
    // broken off, whatever waits for the daemon fails at once
    const end = (): void => void child.kill('SIGKILL')
    signal.addEventListener('abort', end, { once: true })
    child.once('close', () => {
      signal.removeEventListener('abort', end)
      this.#hasEnded = true
      this.#wake()
    })
    if (child.stdout !== null) createInterface(child.stdout).on('line', (line) => this.#read(line))
    child.stderr?.setEncoding('utf8').on('data', (text: string) => this.#note(text))
  }

  /** @throws {BenchError} it did not come to serve */
  static async start(options: DaemonOptions): Promise<MeasuredDaemon> {
    const { dataFolder, apnsUrl, authority, profileFolder, signal } = options
    const profile = profileFolder === null ? [] : ['--cpu-prof', `--cpu-prof-dir=${profileFolder}`]
    const env = Object.entries(process.env).filter(([name]) => !name.startsWith('APNSD_'))
    const startMs = performance.now()
    const child = spawn(
      process.execPath,
      [
        ...profile,
        LAUNCHER,
        'serve',
        ...['--listen', '127.0.0.1:0', '--data', dataFolder],
        ...['--apns-sandbox', apnsUrl, '--apns-production', apnsUrl, '--apns-ca', authority],
      ],
      { stdio: ['ignore', 'pipe', 'pipe'], env: { ...Object.fromEntries(env), NODE_OPTIONS: '' } },
    )
    if (child.pid === undefined) throw new BenchError('the daemon could not be started')
    const daemon = new MeasuredDaemon(child, child.pid, startMs, signal)
    try {
      await daemon.#until(() => daemon.url !== '', READY_WITHIN_MS, 'it does not serve')
    } catch (error) {
      await daemon.kill()
      throw error
    }
    daemon.readyMs = daemon.ageMs
    return daemon
  }

  /** How long ago the process was started. */
  get ageMs(): number {
    return performance.now() - this.#startMs
  }

  get rssBytes(): number {
    return readRssBytes(this.pid)
  }

  get peakRssBytes(): number {
    return readPeakRssBytes(this.pid)
  }

  /**
   * Waits until the log has said of `count` notifications that they were accepted.
   * @returns when the line came
   * @throws {BenchError} one had another outcome, one too many had one, none came for long, or the daemon ended
   */
  async outcomes(count: number): Promise<number> {
    while (this.accepted < count) {
      const before = this.accepted
      await this.#until(() => this.accepted > before, STALL_MS, `${count - before} have no outcome`)
    }
    this.checkOutcomes(count)
    return this.#lineMs
  }

  /** @throws {BenchError} the log tells of other outcomes than `count` acceptances */
  checkOutcomes(count: number): void {
    if (this.#others !== '') throw new BenchError(`not all were accepted: ${this.#others}`)
    if (this.accepted !== count)
      throw new BenchError(`${this.accepted} outcomes came for ${count} notifications`)
  }

  /** Waits for more outcomes than there are. */
  async moreOutcomes(): Promise<void> {
    const before = this.accepted
    await this.#until(() => this.accepted > before, STALL_MS, 'outcomes ceased to come')
  }

  /** Starts to measure: `read` tells what the daemon has used since. */
  startClock(): { read(): Usage } {
    const cpuAtStart = readCpuMicroseconds(this.pid)
    const startMs = performance.now()
    return {
      read: () => ({
        elapsedMs: performance.now() - startMs,
        cpuMicroseconds: readCpuMicroseconds(this.pid) - cpuAtStart,
        peakRssBytes: this.peakRssBytes,
      }),
    }
  }

  /** What the daemon uses from the start of `act` to its last write after it, when `count` outcomes are known. */
  async measure(count: number, act: () => Promise<void>): Promise<Usage & { answeredMs: number }> {
    const target = this.accepted + count
    const lastWrite = new LastWrite(readWrittenBytes(this.pid))
    const sampling = setInterval(() => {
      lastWrite.note(readWrittenBytes(this.pid), performance.now())
    }, WRITES_SAMPLE_MS)
    const clock = this.startClock()
    const startMs = performance.now()
    try {
      await act()
      const answeredMs = performance.now() - startMs
      const lineMs = await this.outcomes(target)
      const elapsedMs = Math.max(answeredMs, lastWrite.before(lineMs) - startMs)
      return { ...clock.read(), elapsedMs, answeredMs }
    } finally {
      clearInterval(sampling)
    }
  }

  /** Lets it drain and end, so that its log is whole. @throws {BenchError} it does not */
  async stop(): Promise<void> {
    this.#child.kill('SIGTERM')
    const late = setTimeout(() => {
      this.#note('it did not end by itself')
      this.#child.kill('SIGKILL')
    }, STOPS_WITHIN_MS)
    await this.#closed
    clearTimeout(late)
    if (this.#child.exitCode !== 0) throw new BenchError(`the daemon failed: ${this.#trouble}`)
  }

  async kill(): Promise<void> {
    this.#child.kill('SIGKILL')
    await this.#closed
  }

  /** Waits for what some line of the log, or the end, brings about. Many may wait at a time. */
  async #until(holds: () => boolean, withinMs: number, complaint: string): Promise<void> {
    const late = new AbortController()
    const timer = setTimeout(() => {
      late.abort()
      this.#wake()
    }, withinMs)
    try {
      while (!holds()) {
        this.#signal.throwIfAborted()
        if (this.#hasEnded) throw new BenchError(`the daemon ended: ${this.#trouble.trim()}`)
        if (this.#others !== '') throw new BenchError(`not all were accepted: ${this.#others}`)
        if (late.signal.aborted) throw new BenchError(`${complaint}: ${this.#trouble || 'no word'}`)
        await new Promise<void>((resolve) => this.#waiters.push(resolve))
      }
    } finally {
      clearTimeout(timer)
    }
  }

  #wake(): void {
    for (const resolve of this.#waiters.splice(0)) resolve()
  }

  #read(text: string): void {
    const line = JSON.parse(text) as LogLine
    if (line.msg === 'ready') this.url = line.url ?? ''
    else if (line.msg === 'outcomes' && line.app === APP) this.#count(line)
    else if (line.level >= WARN) this.#note(`${text}\n`)
    this.#wake()
  }

  #count({ accepted = 0, others = {} }: LogLine): void {
    this.#lineMs = performance.now()
    this.accepted += accepted
    this.#others += Object.entries(others)
      .map(([name, { count }]) => `${count} × ${name} `)
      .join('')
  }

  #note(text: string): void {
    this.#trouble = (this.#trouble + text).slice(-ERROR_CHARACTERS)
  }
}
