import { type ChildProcess, spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'

export const LAUNCHER = fileURLToPath(new URL('../../packages/apnsd/bin/apnsd.js', import.meta.url))

export interface CommandOptions {
  /** Added to our own environment, from which apnsd's settings are taken out first. */
  readonly env?: Readonly<Record<string, string>>
  /** The Node to run it with; ours when left out. */
  readonly node?: string
  /** What that Node is told before the launcher's path. */
  readonly nodeOptions?: readonly string[]
}

interface Waiter {
  readonly from: number
  readonly pattern: RegExp
  readonly resolve: (match: RegExpExecArray) => void
  readonly reject: (error: Error) => void
}

/** A command of apnsd in a process of its own, as a person runs it at a shell. */
export class ApnsdCommand {
  stdout = ''
  stderr = ''
  /** Its exit code; null when a signal killed it. */
  readonly ended: Promise<number | null>
  readonly #child: ChildProcess
  #waiters: Waiter[] = []

  private constructor(child: ChildProcess) {
    this.#child = child
    this.ended = new Promise((resolve) => {
      child.once('close', (code, signal) => {
        if (signal !== null) this.stderr += `killed by ${signal}`
        resolve(code)
        for (const { pattern, reject } of this.#waiters.splice(0))
          reject(new Error(`it ended with ${code} without ${pattern}: ${this.stderr}`))
      })
    })
    child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      this.stdout += text
      this.#waiters = this.#waiters.filter((waiter) => !this.#serve(waiter))
    })
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.stderr += text
    })
  }

  static start(args: readonly string[], options: CommandOptions = {}): ApnsdCommand {
    const { env = {}, node = process.execPath, nodeOptions = [] } = options
    const inherited = Object.entries(process.env).filter(([name]) => !name.startsWith('APNSD_'))
    const child = spawn(node, [...nodeOptions, LAUNCHER, ...args], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...Object.fromEntries(inherited), ...env },
    })
    return new ApnsdCommand(child)
  }

  /** Resolves once standard output matches, past the first `from` characters; rejects when the command ends without. */
  waitForOutput(pattern: RegExp, from = 0): Promise<RegExpExecArray> {
    return new Promise((resolve, reject) => {
      const waiter = { from, pattern, resolve, reject }
      if (!this.#serve(waiter)) this.#waiters.push(waiter)
    })
  }

  /** Waits for the line of the log that says `ready`. */
  async ready(): Promise<Readonly<Record<string, unknown>>> {
    const [line] = await this.waitForOutput(/^.*"msg":"ready".*(?=\n)/m)
    return JSON.parse(line) as Record<string, unknown>
  }

  /** Sends a signal, and gives the exit code. */
  end(signal: NodeJS.Signals): Promise<number | null> {
    this.#child.kill(signal)
    return this.ended
  }

  #serve({ from, pattern, resolve }: Waiter): boolean {
    const match = pattern.exec(this.stdout.slice(from))
    if (match !== null) resolve(match)
    return match !== null
  }
}

/** Runs a command to its end. */
export async function runApnsd(args: readonly string[], options: CommandOptions = {}) {
  const command = ApnsdCommand.start(args, options)
  const exitCode = await command.ended
  return { exitCode, stdout: command.stdout, stderr: command.stderr }
}
