import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { test } from 'node:test'

const ROOT = new URL('../..', import.meta.url).pathname
const FILES = execFileSync('git', ['ls-files'], { cwd: ROOT, encoding: 'utf8' })
  .split('\n')
  .filter((file) => file !== '' && existsSync(join(ROOT, file)))
const SOURCES = FILES.filter((file) => file.endsWith('.ts'))

const read = (file: string): string => readFileSync(join(ROOT, file), 'utf8')

/** What a source file imports, types included: paths within the repository, or package names. */
function importsOf(file: string): string[] {
  return [...read(file).matchAll(/^(?:import|export)\b[^'"]*?from '([^']+)'/gm)].map(
    ([, name = '']) =>
      name.startsWith('.') ? relative(ROOT, join(ROOT, dirname(file), name)) : name,
  )
}

/** The part of the daemon that a file belongs to: `core`, `doors/xmlrpc`; null outside of it. */
function partOf(path: string): string | null {
  const [, part] = /^packages\/apnsd\/src\/((?:doors\/)?[^/]+)(?:\/|$)/.exec(path) ?? []
  // a test belongs to what it tests
  return part?.replace('.test.ts', '.ts') ?? null
}

/** What each part of the daemon may import besides itself, packages apart. */
const MAY_IMPORT: Record<string, readonly string[]> = {
  base: [],
  core: ['base'],
  config: ['base'],
  queue: ['base', 'core'],
  store: ['base', 'core'],
  credentials: ['base', 'core'],
  delivery: ['base', 'core'],
  outcomes: ['base', 'core'],
  'doors/xmlrpc': ['base', 'core', 'doors/browser-guard.ts'],
  'doors/rest': ['base', 'core'],
  // the demo speaks XML-RPC as a client: it uses the door's codec
  'doors/cli': ['base', 'config', 'doors/xmlrpc'],
  'doors/browser-guard.ts': ['base'],
  'doors/http-server.ts': ['base', 'doors/browser-guard.ts'],
  'doors/http-server.test.ts': ['base', 'doors/http-server.ts'],
}

test('imports run one way: base ← core ← the rest; only daemon.ts and main.ts see them all', () => {
  const wrong: string[] = []
  for (const file of SOURCES) {
    const part = partOf(file)
    if (part === null || part === 'daemon.ts' || part === 'main.ts') continue
    const allowed = MAY_IMPORT[part]
    assert.ok(allowed !== undefined, `say in MAY_IMPORT what ${part} may import`)
    for (const name of importsOf(file)) {
      const target = partOf(name)
      if (target !== null && target !== part && !allowed.includes(target))
        wrong.push(`${file} imports ${name}`)
    }
  }
  assert.deepEqual(wrong, [])
})

/** The one file of apns that knows a package: an optional one, loaded when it is needed. */
const FORGE_FILE = 'packages/apns/src/credentials/forge.ts'

test('apns and simulator import none of ours, and apns no package but node-forge, in one file', () => {
  const wrong: string[] = []
  for (const file of SOURCES) {
    const [, name] = /^packages\/(apns|simulator)\/src\//.exec(file) ?? []
    if (name === undefined || file.endsWith('.test.ts')) continue
    for (const target of importsOf(file)) {
      const isOwn = target.startsWith(`packages/${name}/src/`) || target.startsWith('node:')
      const isPackage = !target.startsWith('packages/') && !target.startsWith('@apnsd/')
      const isForge = file === FORGE_FILE && target === 'node-forge'
      if (!isOwn && !isForge && !(name === 'simulator' && isPackage))
        wrong.push(`${file} imports ${target}`)
    }
  }
  assert.deepEqual(wrong, [])
})

test('the core does no I/O and has no clock and no randomness of its own', () => {
  for (const file of SOURCES.filter((name) => name.startsWith('packages/apnsd/src/core/'))) {
    if (file.endsWith('.test.ts')) continue
    assert.doesNotMatch(read(file), /Date\.now|Math\.random|randomUUID\(\)|setTimeout/, file)
    for (const name of importsOf(file))
      assert.doesNotMatch(name, /^node:(fs|net|http|tls|sqlite|timers|crypto)/, file)
  }
})

test('only config reads the environment, and the demo, which starts its daemon without apnsd’s settings', () => {
  const readers = SOURCES.filter(
    (file) => /^packages\/[^/]+\/src\//.test(file) && !file.endsWith('.test.ts'),
  ).filter((file) => /process\.env\b/.test(read(file)))
  assert.deepEqual(readers.sort(), [
    'packages/apnsd/src/config/client-settings.ts',
    'packages/apnsd/src/config/load-config.ts',
    'packages/apnsd/src/config/wires.ts',
    'packages/apnsd/src/doors/cli/demo/daemon-process.ts',
  ])
})

test('no file is longer than 600 lines, no test is skipped or singled out without a reason', () => {
  for (const file of SOURCES) {
    const text = read(file)
    assert.ok(text.split('\n').length <= 600, file)
    assert.doesNotMatch(text, /\b(test|it|describe)\.(only|skip|todo)\b\(/, file)
  }
})

test('the lock file names no registry, and every platform’s optional packages', () => {
  const lock = JSON.parse(read('package-lock.json')) as {
    packages: Record<
      string,
      { resolved?: string; optionalDependencies?: Record<string, string>; link?: boolean }
    >
  }
  for (const [path, entry] of Object.entries(lock.packages)) {
    assert.ok(entry.link === true || entry.resolved === undefined, path)
    for (const name of Object.keys(entry.optionalDependencies ?? {}))
      assert.ok(`node_modules/${name}` in lock.packages, `${path} wants ${name}`)
  }
})

test('links in the documents lead somewhere', () => {
  for (const file of FILES.filter((name) => name.endsWith('.md'))) {
    for (const [, target = ''] of read(file).matchAll(/\]\(([^)#]+)(?:#[^)]*)?\)/g)) {
      if (/^https?:/.test(target)) continue
      assert.ok(existsSync(join(ROOT, dirname(file), target)), `${file} links to ${target}`)
    }
  }
})
