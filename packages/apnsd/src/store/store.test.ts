import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, afterEach, before, beforeEach, describe, it } from 'node:test'
import { type Credential, readCertificate, readSigningKey } from '@apnsd/apns'
import { Simulator } from '@apnsd/simulator'
import { Database } from '../base/database.ts'
import { ApnsdError } from '../base/errors.ts'
import type { App } from '../core/apps/app.ts'
import { STORE_MIGRATIONS } from './migrations.ts'
import { SecretBox } from './secret-box.ts'
import { SqliteAppStore } from './sqlite-app-store.ts'

let folder = ''
let database: Database
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'apnsd-store-'))
  database = Database.open(join(folder, 'apnsd.db'), STORE_MIGRATIONS)
})
afterEach(() => {
  database.close()
  rmSync(folder, { recursive: true })
})

const codeIs = (code: string) => (error: unknown) =>
  error instanceof ApnsdError && error.code === code

describe('SecretBox', () => {
  const box = new SecretBox(randomBytes(32))

  it('opens what it sealed, under the same name', () => {
    assert.equal(box.open(box.seal('a secret ü', 'app'), 'app'), 'a secret ü')
  })

  it('refuses another name, another key, and any changed byte', () => {
    const sealed = box.seal('secret', 'app')
    assert.throws(() => box.open(sealed, 'other'), codeIs('storage-failed'))
    assert.throws(
      () => new SecretBox(randomBytes(32)).open(sealed, 'app'),
      codeIs('storage-failed'),
    )
    for (let index = 0; index < sealed.length; index += 1) {
      const changed = Buffer.from(sealed)
      changed[index] = (changed[index] ?? 0) ^ 1
      assert.throws(() => box.open(changed, 'app'), codeIs('storage-failed'), `byte ${index}`)
    }
    assert.throws(() => box.open(sealed.subarray(0, 10), 'app'), codeIs('storage-failed'))
  })
})

describe('SqliteAppStore', () => {
  let simulator: Simulator
  let certificate: Credential
  let token: Credential
  before(async () => {
    simulator = await Simulator.start({ control: null })
    certificate = readCertificate(simulator.issueCertificate({ topic: 'com.example.a' }).pem, null)
    const { key, keyId, teamId } = simulator.issueKey()
    token = readSigningKey(key, keyId, teamId)
  })
  after(() => simulator.close())

  const box = new SecretBox(randomBytes(32))
  const appOf = (id: string, credential: Credential): App => ({
    id,
    environment: 'sandbox',
    topic: 'com.example.a',
    credential,
    connectTimeoutS: 15,
    policy: { inDoubt: 'drop', tryOtherEnvironment: true, deviceTokenBreaker: false },
    reachedAtMs: null,
  })

  it('finds apps of both kinds as they were, after a restart', async () => {
    const store = new SqliteAppStore(database, box)
    await store.put(appOf('b', token))
    await store.put(appOf('a', certificate))
    const again = new SqliteAppStore(database, box)
    assert.deepEqual(again.list(), [appOf('a', certificate), appOf('b', token)])
    assert.deepEqual(again.get('a'), appOf('a', certificate))
  })

  it('has no private key in the clear on the disk', async () => {
    const store = new SqliteAppStore(database, box)
    await store.put(appOf('a', certificate))
    await store.put(appOf('b', token))
    const secrets = [certificate, token].map(
      (credential) =>
        (credential.type === 'certificate' ? credential.privateKeyPem : credential.key).split(
          '\n',
        )[1],
    )
    for (const name of ['apnsd.db', 'apnsd.db-wal']) {
      const bytes = readFileSync(join(folder, name), 'latin1')
      assert.equal(bytes.includes('PRIVATE KEY'), false)
      for (const secret of secrets) assert.equal(bytes.includes(secret ?? '?'), false)
    }
  })

  it('remembers that Apple was reached, for the credential that reached it alone', async () => {
    const store = new SqliteAppStore(database, box)
    await store.put(appOf('a', certificate))
    await store.markReached('a', token.fingerprint, 5)
    assert.equal(store.get('a')?.reachedAtMs, null)
    await store.markReached('a', certificate.fingerprint, 5)
    assert.equal(new SqliteAppStore(database, box).get('a')?.reachedAtMs, 5)
  })

  it('remembers the file that a credential was read from, and forgets it with it', async () => {
    const store = new SqliteAppStore(database, box)
    const fromFile = { ...appOf('a', certificate), credentialFile: '/etc/push/a.pem' }
    await store.put(fromFile)
    assert.deepEqual(new SqliteAppStore(database, box).get('a'), fromFile)
    await store.put(appOf('a', certificate))
    assert.deepEqual(new SqliteAppStore(database, box).get('a'), appOf('a', certificate))
  })

  it('tells of what is put and removed, once it is so', async () => {
    const store = new SqliteAppStore(database, box)
    const told: string[][] = []
    store.onChange(() => told.push(store.list().map(({ id }) => id)))
    await store.put(appOf('a', certificate))
    await store.markReached('a', certificate.fingerprint, 5)
    await store.remove('a')
    assert.deepEqual(told, [['a'], []])
  })

  it('removes', async () => {
    const store = new SqliteAppStore(database, box)
    await store.put(appOf('a', certificate))
    assert.equal(await store.remove('a'), true)
    assert.equal(await store.remove('a'), false)
    assert.deepEqual(new SqliteAppStore(database, box).list(), [])
  })

  it('refuses to start with another secret key rather than forget the apps', async () => {
    await new SqliteAppStore(database, box).put(appOf('a', certificate))
    assert.throws(
      () => new SqliteAppStore(database, new SecretBox(randomBytes(32))),
      codeIs('storage-failed'),
    )
  })
})
