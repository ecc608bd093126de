import { execFile } from 'node:child_process'
import { promisify } from 'node:util'

/** Runs a program of another language to its end, and gives what it printed. Rejects when it fails. */
export async function runScript(command: string, args: readonly string[]): Promise<string> {
  const { stdout } = await promisify(execFile)(command, args, { timeout: 60_000 })
  return stdout
}
