import assert from 'node:assert/strict'
import { generateKeyPairSync } from 'node:crypto'
import { describe, it } from 'node:test'
import { Authority } from '@apnsd/simulator'
import { CredentialError } from '../errors.ts'
import { readCertificate } from './certificate.ts'

const NOW = Date.UTC(2026, 10, 24)
const DAY_MS = 86_400_000

const authority = Authority.create()

interface Wanted {
  environments?: ('sandbox' | 'production')[]
  topics?: { topic: string; label: string }[]
  appleExtensions?: boolean
  notBefore?: Date
  notAfter?: Date
}

function issue(wanted: Wanted = {}) {
  return authority.issuePushCertificate({
    topic: 'com.example.app',
    environments: wanted.environments ?? ['sandbox', 'production'],
    topics: wanted.topics ?? [],
    appleExtensions: wanted.appleExtensions ?? true,
    notBefore: wanted.notBefore ?? new Date(NOW - DAY_MS),
    notAfter: wanted.notAfter ?? new Date(NOW + 365 * DAY_MS),
  })
}

const codeOf = (read: () => unknown): string => {
  try {
    read()
  } catch (error) {
    assert.ok(error instanceof CredentialError, String(error))
    return error.code
  }
  return 'read without an error'
}

describe('readCertificate', () => {
  const issued = issue()
  const pem = issued.certificatePem + issued.privateKeyPem

  it('reads topics and environments of a universal certificate', () => {
    const universal = issue({
      topics: [
        { topic: 'com.example.app', label: 'app' },
        { topic: 'com.example.app.voip', label: 'voip' },
      ],
    })
    const credential = readCertificate(universal.certificatePem + universal.privateKeyPem, NOW)
    assert.deepEqual(credential.topics, ['com.example.app', 'com.example.app.voip'])
    assert.equal(credential.defaultTopic, 'com.example.app')
    assert.deepEqual(credential.environments, ['sandbox', 'production'])
    assert.equal(credential.hasAppleExtensions, true)
  })

  it('takes key and certificate in either order, and text between them', () => {
    const swapped = `Bag Attributes\n${issued.privateKeyPem}\nlocalKeyID: 01\n${issued.certificatePem}`
    assert.equal(readCertificate(swapped, NOW).fingerprint, readCertificate(pem, NOW).fingerprint)
  })

  it('finds its own certificate in a chain that begins with another', () => {
    const credential = readCertificate(authority.certificatePem + pem, NOW)
    assert.equal(credential.fingerprint, readCertificate(pem, NOW).fingerprint)
    assert.ok(credential.certificatePem.startsWith(issued.certificatePem.trim().slice(0, 100)))
  })

  it('reads a certificate of one environment', () => {
    const sandbox = issue({ environments: ['sandbox'] })
    assert.deepEqual(
      readCertificate(sandbox.certificatePem + sandbox.privateKeyPem, NOW).environments,
      ['sandbox'],
    )
  })

  it('takes a stranger’s certificate without Apple’s extensions for both environments, its UID as topic', () => {
    const plain = issue({ appleExtensions: false })
    const credential = readCertificate(plain.certificatePem + plain.privateKeyPem, NOW)
    assert.equal(credential.hasAppleExtensions, false)
    assert.deepEqual(credential.topics, ['com.example.app'])
    assert.deepEqual(credential.environments, ['sandbox', 'production'])
  })

  it('says by code what is wrong', () => {
    const other = issue()
    const expired = issue({ notAfter: new Date(NOW - 1000) })
    const early = issue({ notBefore: new Date(NOW + DAY_MS) })
    const encrypted = generateKeyPairSync('rsa', {
      modulusLength: 2048,
      privateKeyEncoding: { type: 'pkcs8', format: 'pem', cipher: 'aes-256-cbc', passphrase: 'x' },
      publicKeyEncoding: { type: 'spki', format: 'pem' },
    }).privateKey
    const mangled = issued.certificatePem.replace(/\n[A-Za-z0-9+/]{20}/, '\n====================')
    const cases: [string, string][] = [
      ['certificate-missing', issued.privateKeyPem],
      ['certificate-missing', 'no PEM at all'],
      ['key-missing', issued.certificatePem],
      ['key-encrypted', issued.certificatePem + encrypted],
      ['key-mismatch', issued.certificatePem + other.privateKeyPem],
      ['certificate-unreadable', mangled + issued.privateKeyPem],
      ['certificate-expired', expired.certificatePem + expired.privateKeyPem],
      ['certificate-not-yet-valid', early.certificatePem + early.privateKeyPem],
    ]
    for (const [code, text] of cases)
      assert.equal(
        codeOf(() => readCertificate(text, NOW)),
        code,
      )
  })

  it('takes an expired certificate where no date is asked for', () => {
    const expired = issue({ notAfter: new Date(NOW - 1000) })
    const credential = readCertificate(expired.certificatePem + expired.privateKeyPem, null)
    assert.equal(credential.notAfterMs, NOW - 1000)
  })

  it('never shows key or certificate in an error', () => {
    for (const text of [issued.privateKeyPem, issued.certificatePem])
      assert.throws(
        () => readCertificate(text, NOW),
        (error: Error) => !error.message.includes('-----BEGIN'),
      )
  })
})
