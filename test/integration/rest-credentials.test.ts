import assert from 'node:assert/strict'
import { createPrivateKey, generateKeyPairSync, randomBytes } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, beforeEach, describe, it } from 'node:test'
import { OpensslFolder } from '../../packages/apns/src/credentials/testing/openssl-folder.ts'
import { ERRORS, type ErrorCode } from '../../packages/apnsd/src/base/errors.ts'
import { Stage, TOPIC } from '../support/stage.ts'
import { missing } from '../support/system-parts.ts'

const DAY_MS = 86_400_000
const PASSPHRASE = 'correct hörse 🔑'

interface Answer {
  readonly status: number
  readonly text: string
}

describe('the credential of PUT /v1/apps/{app}', { skip: missing('openssl') }, () => {
  let stage: Stage
  let folder: OpensslFolder
  before(async () => {
    stage = await Stage.open()
    folder = new OpensslFolder()
  })
  after(async () => {
    folder.close()
    await stage.close()
  })
  beforeEach(() => stage.simulator.clearNotifications())

  async function put(appId: string, credential: object, more: object = {}): Promise<Answer> {
    const response = await fetch(`${stage.daemon.url}/v1/apps/${appId}`, {
      method: 'PUT',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ environment: 'sandbox', credential, ...more }),
    })
    return { status: response.status, text: await response.text() }
  }

  async function taken(appId: string, credential: object, more?: object): Promise<void> {
    const { status, text } = await put(appId, credential, more)
    assert.equal(status, 200, text)
  }

  async function refused(credential: object, code: ErrorCode, detail = / /, more?: object) {
    const { status, text } = await put('refused', credential, more)
    const problem = JSON.parse(text) as {
      code: string
      detail: string
      place?: string
      hint?: string
    }
    assert.deepEqual([problem.code, status], [code, ERRORS[code].httpStatus], text)
    assert.match(problem.detail, detail)
    for (const secret of [PASSPHRASE, 'PRIVATE KEY', '-----'])
      assert.equal(text.includes(secret), false, text)
    return problem
  }

  /** Writes a pair to a PKCS#12 file, as base64. */
  function pack(pem: string, ...args: string[]): string {
    folder.write('pair.pem', pem)
    const written = folder.openssl(
      ...['pkcs12', '-export', '-in', 'pair.pem', '-passout', `pass:${PASSPHRASE}`, ...args],
    )
    return written.toString('base64')
  }

  async function assertSends(appId: string, topic: string): Promise<void> {
    await stage.call('notify', appId, randomBytes(32).toString('hex'), { aps: { alert: 'hi' } })
    const notifications = await stage.settled(1)
    assert.equal(notifications[0]?.headers['apns-topic'], topic)
    stage.simulator.clearNotifications()
  }

  it('takes a PKCS#12 file with its passphrase, of each age, and sends with it', async () => {
    for (const [appId, ...args] of [['modern'], ['keychain', '-legacy']] as const) {
      const topic = `com.example.${appId}`
      const { pem } = stage.simulator.issueCertificate({ topic })
      const pkcs12 = pack(pem, ...args)
      await taken(appId, { type: 'certificate', pkcs12, passphrase: PASSPHRASE })
      await assertSends(appId, topic)
    }
  })

  it('takes PEM whose key is encrypted, in one text or two', async () => {
    const topic = 'com.example.sealed'
    const { certificatePem, privateKeyPem } = stage.simulator.issueCertificate({ topic })
    const key = createPrivateKey(privateKeyPem)
      .export({ type: 'pkcs8', format: 'pem', cipher: 'aes-256-cbc', passphrase: PASSPHRASE })
      .toString()
    const inOne = { type: 'certificate', pem: certificatePem + key, passphrase: PASSPHRASE }
    await taken('sealed', inOne)
    await assertSends('sealed', topic)
    const inTwo = { type: 'certificate', pem: certificatePem, key, passphrase: PASSPHRASE }
    await taken('sealed-apart', inTwo)
    await assertSends('sealed-apart', topic)
  })

  it('keeps what it was given over a restart, without the passphrase, and nothing in clear text', async () => {
    const topic = 'com.example.restarted'
    const { pem, privateKeyPem } = stage.simulator.issueCertificate({ topic })
    const pkcs12 = pack(pem, '-legacy')
    await taken('restarted', { type: 'certificate', pkcs12, passphrase: PASSPHRASE })
    await stage.daemon.stop()
    const data = join(stage.folder, 'data')
    const secrets = [PASSPHRASE, privateKeyPem.split('\n')[1] ?? '', pkcs12.slice(0, 60)]
    for (const file of readdirSync(data)) {
      const bytes = readFileSync(join(data, file))
      for (const secret of secrets) assert.equal(bytes.includes(secret), false, file)
    }
    await stage.startDaemon()
    await assertSends('restarted', topic)
  })

  it('says of each fault of a certificate which it is', async () => {
    const issued = stage.simulator.issueCertificate({ topic: TOPIC })
    const other = stage.simulator.issueCertificate({ topic: TOPIC })
    const dated = (from: number, to: number): string =>
      stage.simulator.issueCertificate({
        topic: TOPIC,
        notBefore: new Date(Date.now() + from * DAY_MS),
        notAfter: new Date(Date.now() + to * DAY_MS),
      }).pem
    const pkcs12 = pack(issued.pem)
    const type = 'certificate'
    const passphrase = PASSPHRASE
    const whole = Buffer.from(pkcs12, 'base64')
    const cutOff = whole.subarray(0, 1000).toString('base64')

    const wrong = await refused({ type, pkcs12, passphrase: 'wrong' }, 'passphrase-wrong')
    assert.equal(wrong.place, '/credential/passphrase')
    await refused({ type, pkcs12 }, 'passphrase-missing')
    await refused({ type, pkcs12: cutOff, passphrase }, 'pkcs12-unreadable')
    await refused({ type, pkcs12: pack(issued.pem, '-nokeys'), passphrase }, 'key-missing')
    folder.write('key.pem', issued.privateKeyPem)
    const nothingButKey = pack(issued.pem, '-nocerts', '-inkey', 'key.pem')
    await refused({ type, pkcs12: nothingButKey, passphrase }, 'certificate-missing')
    await refused({ type, pkcs12: 'no base64!' }, 'invalid-argument', /base64/)
    await refused(
      { type, pkcs12: pack(dated(-400, -35)), passphrase },
      'certificate-expired',
      /on \d{4}-\d\d-\d\d/,
    )
    await refused(
      { type, pem: dated(35, 400) },
      'certificate-not-yet-valid',
      /before \d{4}-\d\d-\d\d/,
    )
    const { certificatePem } = issued
    await refused({ type, pem: certificatePem }, 'key-missing')
    await refused({ type, pem: certificatePem, key: other.privateKeyPem }, 'key-mismatch')
    await refused({ type, pem: issued.privateKeyPem }, 'certificate-missing')
    await refused({ type, pem: issued.pem.replace(/MII.{9}/, '$&???') }, 'certificate-unreadable')
    await refused({ type, pem: `${issued.pem}${' '.repeat(300_000)}` }, 'credential-too-large')
    const rc4 = pack(issued.pem, '-legacy', '-keypbe', 'PBE-SHA1-RC4-128')
    await refused({ type, pkcs12: rc4, passphrase }, 'encryption-unsupported')
    const { pem: productionOnly } = stage.simulator.issueCertificate({
      topic: TOPIC,
      environments: ['production'],
    })
    await refused({ type, pem: productionOnly }, 'invalid-credential', /is for production, not/)
  })

  it('says of each fault of a signing key which it is', async () => {
    const { key, keyId, teamId } = stage.simulator.issueKey()
    const type = 'token'
    const topic = { topic: TOPIC }
    const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
    const rsa = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()
    const id = await refused(
      { type, key, keyId: `AuthKey_${keyId}.p8`, teamId },
      'key-id-malformed',
      /name of a file/,
      topic,
    )
    assert.equal(id.place, '/credential/keyId')
    await refused({ type, key, keyId, teamId: TOPIC }, 'team-id-malformed', /bundle/, topic)
    await refused({ type, key: rsa, keyId, teamId }, 'key-wrong-kind', /RSA/, topic)
    await refused({ type, key: 'x', keyId, teamId }, 'key-missing', / /, topic)
    await refused({ type, key: key.slice(0, 90), keyId, teamId }, 'key-unreadable', / /, topic)
    await taken('pasted', { type, key: key.replaceAll('\n', '\\n'), keyId, teamId }, topic)
    await assertSends('pasted', TOPIC)
  })

  it('wants one of pem and pkcs12', async () => {
    const { pem } = stage.simulator.issueCertificate({ topic: TOPIC })
    const type = 'certificate'
    for (const credential of [
      { type },
      { type, passphrase: 'x' },
      { type, pem, pkcs12: 'AAAA' },
      { type, key: pem, pkcs12: 'AAAA' },
      { type, key: pem },
    ])
      await refused(credential, 'invalid-argument', /as `pem`.*as `pkcs12`/)
    await refused(
      { type, pem, password: 'x' },
      'invalid-argument',
      /additional properties: password/,
    )
  })
})
