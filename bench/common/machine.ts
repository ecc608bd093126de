import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { cpus, loadavg, release, totalmem, type } from 'node:os'

export interface Machine {
  readonly cpu: string
  readonly cores: number
  readonly memoryBytes: number
  readonly system: string
  readonly node: string
  readonly openssl: string
  /** Over the last minute, when the benchmark began. */
  readonly loadAverage: number
}

export function describeMachine(): Machine {
  return {
    cpu: cpus()[0]?.model.trim() ?? 'unknown',
    cores: cpus().length,
    memoryBytes: totalmem(),
    system: [distribution(), `${type()} ${release()}`].filter((part) => part !== '').join(', '),
    node: process.version,
    openssl: process.versions.openssl,
    loadAverage: loadavg()[0] ?? 0,
  }
}

/** More is under way than what the benchmark itself leaves behind. */
const BUSY_LOAD = 1

/** Says what busy neighbours make of the numbers, where there are any. */
export function sayLoad({ loadAverage }: Machine, say: (line: string) => void): void {
  if (loadAverage <= BUSY_LOAD) return
  const load = loadAverage.toFixed(1)
  say(`the machine is busy (load average ${load}): rates will be too low, and times too long`)
}

function distribution(): string {
  try {
    return /^PRETTY_NAME="?([^"\n]*)/m.exec(readFileSync('/etc/os-release', 'utf8'))?.[1] ?? ''
  } catch {
    return '' // not every system has the file
  }
}

const ROOT = new URL('../../', import.meta.url).pathname

/** Our own code by commit, and whether a folder of it is changed. @param folders within the repository */
export function describeCommit(...folders: readonly string[]): string {
  try {
    const git = (...args: string[]): string =>
      execFileSync('git', args, {
        cwd: ROOT,
        encoding: 'utf8',
        stdio: ['ignore', 'pipe', 'ignore'],
      })
    const changed = git('status', '--porcelain', '--', ...folders).trim() !== ''
    return `commit ${git('rev-parse', '--short', 'HEAD').trim()}${changed ? ', with changes' : ''}`
  } catch {
    return 'not in a git repository'
  }
}

export function packageVersion(name: string): string {
  try {
    const text = readFileSync(`${ROOT}node_modules/${name}/package.json`, 'utf8')
    return String((JSON.parse(text) as { version: unknown }).version)
  } catch {
    return 'not installed'
  }
}

/** Null: the program is not there. */
export function findProgram(name: string): string | null {
  try {
    return execFileSync(name, ['--version'], { encoding: 'utf8' }).trim().split('\n')[0] ?? ''
  } catch {
    return null
  }
}

export function programVersion(name: string): string {
  return findProgram(name) ?? 'not installed'
}

/** The kind of file system that a folder lies on: what is durable costs there what it costs. */
export function describeFileSystem(folder: string): string {
  const mounts = readFileSync('/proc/mounts', 'utf8')
    .split('\n')
    .map((line) => line.split(' '))
    .map(([, path = '', kind = '']) => ({ path, kind }))
    .filter(({ path }) => path !== '' && `${folder}/`.startsWith(path === '/' ? '/' : `${path}/`))
    .sort((one, other) => one.path.length - other.path.length)
  return mounts.at(-1)?.kind ?? 'unknown'
}
