import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { BenchError } from './errors.ts'

export interface Command {
  /** What it is, for errors. */
  readonly name: string
  readonly program: string
  readonly args: readonly string[]
  readonly env?: NodeJS.ProcessEnv
  /** Ended then, and the run has failed. */
  readonly deadlineMs: number
  /** Ends it when the benchmark is broken off. */
  readonly signal: AbortSignal
  readonly onLine?: (line: string) => void
}

/** So much of what a process says on its standard error is repeated in ours. */
const ERROR_CHARACTERS = 500

/**
 * Runs a process to its end.
 * @returns the lines that it printed
 * @throws {BenchError} it could not be started, took too long, or failed; with the end of what it said
 */
export async function runChild(command: Command): Promise<string[]> {
  const { name, program, args, env, deadlineMs, signal, onLine } = command
  const child = spawn(program, args, {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, ...env },
    signal: AbortSignal.any([signal, AbortSignal.timeout(deadlineMs)]),
  })
  const lines: string[] = []
  let errors = ''
  createInterface(child.stdout).on('line', (line) => {
    lines.push(line)
    onLine?.(line)
  })
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    errors = (errors + text).slice(-ERROR_CHARACTERS)
  })
  try {
    await once(child, 'close')
  } catch (error) {
    signal.throwIfAborted()
    throw new BenchError(describeFailure(name, error, deadlineMs), { cause: error })
  }
  if (child.exitCode !== 0) {
    const end = child.exitCode ?? child.signalCode
    throw new BenchError(`${name} ended with ${end}: ${errors.trim() || 'no word'}`)
  }
  return lines
}

function describeFailure(name: string, error: unknown, deadlineMs: number): string {
  if (error instanceof Error && error.name === 'AbortError')
    return `${name} had not every outcome within ${deadlineMs / 1000} s`
  return `${name} could not be started: ${error instanceof Error ? error.message : 'unknown'}`
}
