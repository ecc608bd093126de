import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import {
  chmodSync,
  existsSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, before, beforeEach, describe, it } from 'node:test'
import { type Credential, readCertificate } from '@apnsd/apns'
import { Simulator } from '@apnsd/simulator'
import { Database } from '../base/database.ts'
import { ApnsdError } from '../base/errors.ts'
import { FolderLock } from '../base/folder-lock.ts'
import { DEFAULT_POLICY } from '../core/apps/app.ts'
import { STORE_MIGRATIONS } from './migrations.ts'
import { type RotationStep, rotate, rotateSecretKey } from './rotate-secret-key.ts'
import { SecretBox } from './secret-box.ts'
import { openSecretKey } from './secret-key.ts'
import { SqliteAppStore } from './sqlite-app-store.ts'

let folder = ''
let credential: Credential
before(async () => {
  const simulator = await Simulator.start({ control: null })
  credential = readCertificate(simulator.issueCertificate({ topic: 'com.example.a' }).pem, null)
  await simulator.close()
})
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'apnsd-key-'))
})
afterEach(() => rmSync(folder, { recursive: true }))

const pathOf = (name: string) => join(folder, name)
const codeIs = (code: string, words: RegExp) => (error: unknown) =>
  error instanceof ApnsdError &&
  error.code === code &&
  words.test(`${error.message} ${error.hint ?? ''}`)

/** Does what a start of the daemon does with the key, and gives the ids of the apps whose credentials it could open. */
function start(configured?: string, add: readonly string[] = []): string[] {
  const database = Database.open(pathOf('apnsd.db'), STORE_MIGRATIONS)
  try {
    const box = new SecretBox(openSecretKey(folder, configured, database))
    const apps = new SqliteAppStore(database, box)
    for (const id of add) void apps.put({ id, credential, ...APP })
    return apps.list().map(({ id }) => id)
  } finally {
    database.close()
  }
}

const APP = {
  environment: 'sandbox',
  topic: 'com.example.a',
  connectTimeoutS: 15,
  policy: DEFAULT_POLICY,
  reachedAtMs: null,
} as const

const keyFile = () => readFileSync(pathOf('secret.key'), 'utf8')
const OLD = 'ab'.repeat(32)
const NEW = 'cd'.repeat(32)

/** Writes a new key for an operator. */
function newKeyFile(text = NEW): string {
  writeFileSync(pathOf('new.key'), `${text}\n`, { mode: 0o600 })
  return pathOf('new.key')
}

describe('openSecretKey', () => {
  it('makes a key at the first start, for its owner alone, and finds it again', () => {
    start(undefined, ['a'])
    assert.equal(statSync(pathOf('secret.key')).mode & 0o777, 0o600)
    assert.match(keyFile(), /^[0-9a-f]{64}\n$/)
    assert.deepEqual(start(), ['a'])
  })

  it('takes the configured one and leaves the folder alone', () => {
    start(`${OLD}\n`, ['a'])
    assert.equal(existsSync(pathOf('secret.key')), false)
    assert.deepEqual(start(OLD), ['a'])
  })

  it('refuses one that is malformed, or that others may read', () => {
    assert.throws(() => start('abc'), codeIs('invalid-configuration', /64 hex digits/))
    start()
    chmodSync(pathOf('secret.key'), 0o644)
    assert.throws(() => start(), codeIs('invalid-configuration', /chmod 600/))
  })

  it('says that the key is another or gone, and the way out, and makes none in its place', () => {
    start(undefined, ['a'])
    const right = keyFile()
    writeFileSync(pathOf('secret.key'), `${OLD}\n`)
    assert.throws(
      () => start(),
      codeIs('invalid-configuration', /another secret key than.*Put the/),
    )
    assert.throws(() => start(OLD), codeIs('invalid-configuration', /than the configured one/))
    rmSync(pathOf('secret.key'))
    assert.throws(
      () => start(),
      codeIs('invalid-configuration', /is not there\. Put the file back/),
    )
    assert.equal(existsSync(pathOf('secret.key')), false)
    writeFileSync(pathOf('secret.key'), right, { mode: 0o600 })
    assert.throws(() => start(OLD), codeIs('invalid-configuration', /secret\.key fits/))
    assert.deepEqual(start(), ['a'])
  })

  it('knows the key of a folder that an older daemon wrote', () => {
    const database = Database.open(pathOf('apnsd.db'), STORE_MIGRATIONS)
    void new SqliteAppStore(database, new SecretBox(Buffer.from(OLD, 'hex'))).put({
      ...{ id: 'a', credential },
      ...APP,
    })
    database.close()
    assert.throws(() => start(NEW), codeIs('invalid-configuration', /than the configured one/))
    assert.throws(() => start(), codeIs('invalid-configuration', /is not there/))
    assert.deepEqual(start(OLD), ['a'])
    assert.throws(() => start(NEW), codeIs('invalid-configuration', /than the configured one/))
  })

  it('takes any key where nothing is sealed', () => {
    start()
    assert.deepEqual(start(OLD, ['a']), ['a'])
    assert.deepEqual(start(OLD), ['a'])
  })
})

describe('rotateSecretKey', () => {
  it('seals every credential with a new key, and leaves nothing behind that the old one opens', () => {
    start(undefined, ['a', 'b'])
    const old = new SecretBox(Buffer.from(keyFile().trim(), 'hex'))
    const sealed = sealedBytes()
    for (const step of rotate({ folder }))
      if (step === 'wiped') assert.equal(statSync(pathOf('apnsd.db-wal')).size, 0)
    assert.deepEqual(start(), ['a', 'b'])
    assert.equal(existsSync(pathOf('secret.key.next')), false)
    assert.equal(statSync(pathOf('secret.key')).mode & 0o777, 0o600)
    for (const bytes of sealedBytes()) assert.throws(() => old.open(bytes, 'a'))
    const onDisk = ['apnsd.db', 'apnsd.db-wal']
      .filter((name) => existsSync(pathOf(name)))
      .map((name) => readFileSync(pathOf(name), 'latin1'))
      .join('')
    for (const bytes of sealed) {
      const middle = Buffer.from(bytes).subarray(1000, 1032).toString('latin1')
      assert.equal(onDisk.includes(middle), false)
    }
  })

  it('goes from one configured key to another, and may be asked for it twice', () => {
    start(OLD, ['a'])
    const request = { folder, configured: OLD, newKeyFile: newKeyFile() }
    assert.equal(rotateSecretKey(request), 1)
    assert.equal(rotateSecretKey(request), 0)
    assert.throws(
      () => start(OLD),
      codeIs('invalid-configuration', /rotate-secret that is the new/),
    )
    assert.deepEqual(start(NEW), ['a'])
    assert.equal(existsSync(pathOf('secret.key')), false)
  })

  it('takes a given key for a folder that keeps its own', () => {
    start(undefined, ['a'])
    assert.equal(rotateSecretKey({ folder, newKeyFile: newKeyFile() }), 1)
    assert.equal(keyFile(), `${NEW}\n`)
    assert.equal(rotateSecretKey({ folder, newKeyFile: newKeyFile() }), 0)
    assert.deepEqual(start(), ['a'])
  })

  it('refuses what it cannot do, and changes nothing', () => {
    const refuse = (request: object, code: string, words: RegExp) =>
      assert.throws(() => rotateSecretKey({ folder, ...request }), codeIs(code, words))
    refuse({}, 'invalid-argument', /is no data folder/)
    start(OLD, ['a'])
    const sealed = sealedBytes()
    refuse({ configured: OLD }, 'invalid-argument', /from you\..*--new-key-file/)
    refuse({ configured: OLD, newKeyFile: pathOf('absent') }, 'invalid-argument', /is not there/)
    refuse({ newKeyFile: newKeyFile() }, 'invalid-configuration', /is not there/)
    refuse(
      { configured: '12'.repeat(32), newKeyFile: newKeyFile() },
      'invalid-configuration',
      /than the configured one/,
    )
    refuse({ configured: OLD, newKeyFile: newKeyFile('short') }, 'invalid-configuration', /64 hex/)
    const lock = FolderLock.take(folder)
    refuse({ configured: OLD, newKeyFile: newKeyFile() }, 'data-folder-in-use', /Another apnsd/)
    lock.release()
    assert.deepEqual(sealedBytes(), sealed)
    assert.deepEqual(start(OLD), ['a'])
  })
})

describe('a rotation that is killed', () => {
  /** Rotates in a process of its own, which kills itself after a step; says which steps it took. */
  function rotateUntil(last: RotationStep, request: object): string {
    const script = `
      const { rotate } = await import(${JSON.stringify(import.meta.resolve('./rotate-secret-key.ts'))})
      const { writeSync } = await import('node:fs')
      for (const step of rotate(${JSON.stringify({ folder, ...request })})) {
        writeSync(1, step + ';')
        if (step === ${JSON.stringify(last)}) process.kill(process.pid, 'SIGKILL')
      }`
    const { signal, stdout, stderr } = spawnSync(process.execPath, [
      ...['--input-type=module', '--eval', script],
    ])
    assert.equal(signal, 'SIGKILL', stderr.toString())
    return stdout.toString()
  }

  it('after any step leaves a folder that starts, and that can be rotated', () => {
    start(undefined, ['a', 'b'])
    const steps: RotationStep[] = [...rotate({ folder })]
    assert.equal(steps.length, 5)
    for (const [index, step] of steps.entries()) {
      const earlier = keyFile()
      assert.equal(rotateUntil(step, {}), `${steps.slice(0, index + 1).join(';')};`)
      assert.deepEqual(start(), ['a', 'b'], step)
      assert.equal(existsSync(pathOf('secret.key.next')), false, step)
      assert.equal(keyFile() !== earlier, index >= steps.indexOf('sealed anew'), step)
      rotateUntil(step, {})
      assert.equal(rotateSecretKey({ folder }), 2, step)
      assert.deepEqual(start(), ['a', 'b'], step)
    }
  })

  it('with a configured key leaves a folder that one of the two opens, and can be repeated', () => {
    start(OLD, ['a'])
    const request = { configured: OLD, newKeyFile: newKeyFile() }
    rotateUntil('begun', request)
    assert.deepEqual(start(OLD), ['a'])
    rotateUntil('sealed anew', request)
    assert.throws(() => start(OLD), codeIs('invalid-configuration', /than the configured one/))
    assert.deepEqual(start(NEW), ['a'])
    assert.equal(rotateSecretKey({ folder, ...request }), 0)
  })

  it('in the middle of writing the new key leaves a folder that starts', () => {
    start(undefined, ['a'])
    const key = keyFile()
    for (const torn of ['', key.slice(0, 20), NEW]) {
      writeFileSync(pathOf('secret.key.next'), torn, { mode: 0o600 })
      assert.deepEqual(start(), ['a'])
      assert.equal(keyFile(), key)
      assert.equal(existsSync(pathOf('secret.key.next')), false)
    }
  })

  it('while the first key is made leaves a folder that starts', () => {
    writeFileSync(pathOf('secret.key.next'), 'ab', { mode: 0o600 })
    assert.deepEqual(start(undefined, ['a']), ['a'])
    assert.deepEqual(start(), ['a'])
  })
})

function sealedBytes(): Uint8Array[] {
  const database = Database.open(pathOf('apnsd.db'), STORE_MIGRATIONS)
  const rows = database.prepare('SELECT credential FROM apps ORDER BY id').all()
  database.close()
  return rows.map((row) => row['credential'] as Uint8Array)
}
