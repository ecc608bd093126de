import assert from 'node:assert/strict'
import { createPrivateKey, generateKeyPairSync, X509Certificate } from 'node:crypto'
import { describe, it } from 'node:test'
import { Authority } from '@apnsd/simulator'
import forge from 'node-forge'
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

const issued = issue()

/** Issues the certificate of `issued` again, for the same or another key, with other dates. */
function reissue(privateKeyPem: string, validity: { notBefore: Date; notAfter: Date }): string {
  const { certificatePem } = issued
  const certificate = forge.pki.certificateFromPem(certificatePem)
  const { n, e } = forge.pki.privateKeyFromPem(privateKeyPem)
  certificate.publicKey = forge.pki.setRsaPublicKey(n, e)
  certificate.validity = validity
  const { privateKeyPem: authorityKey } = authority
  certificate.sign(forge.pki.privateKeyFromPem(authorityKey), forge.md.sha256.create())
  return forge.pki.certificateToPem(certificate)
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

  it('takes certificate and key from two files, in each of their forms', () => {
    const expected = readCertificate(pem, NOW)
    const certificateDer = new X509Certificate(issued.certificatePem).raw
    const key = createPrivateKey(issued.privateKeyPem)
    const certificates = [
      issued.certificatePem,
      Buffer.from(issued.certificatePem),
      certificateDer, // as Apple's portal hands it out
      certificateDer.toString('base64'),
    ]
    const keys = [
      issued.privateKeyPem,
      key.export({ type: 'pkcs1', format: 'pem' }),
      key.export({ type: 'pkcs8', format: 'der' }),
      key.export({ type: 'pkcs1', format: 'der' }),
    ]
    for (const certificate of certificates)
      for (const keyFile of keys)
        assert.deepEqual(readCertificate({ certificate, key: keyFile }, NOW), expected)
    assert.deepEqual(readCertificate({ certificate: pem, passphrase: 'not needed' }, NOW), expected)
    assert.deepEqual(readCertificate({ certificate: pem, key: pem }, NOW), expected)
  })

  it('opens an encrypted key with its passphrase, and keeps it unencrypted', () => {
    const key = createPrivateKey(issued.privateKeyPem).export({
      ...({ type: 'pkcs8', format: 'pem', cipher: 'aes-256-cbc' } as const),
      passphrase: 'correct horse',
    })
    const expected = readCertificate(pem, NOW)
    const inOne = issued.certificatePem + key.toString()
    const passphrase = 'correct horse'
    assert.deepEqual(readCertificate({ certificate: inOne, passphrase }, NOW), expected)
    const { certificatePem: certificate } = issued
    assert.deepEqual(readCertificate({ certificate, key, passphrase }, NOW), expected)
    assert.match(expected.privateKeyPem, /^-----BEGIN PRIVATE KEY-----/)
    assert.equal(
      codeOf(() => readCertificate({ certificate, key, passphrase: 'wrong' }, NOW)),
      'passphrase-wrong',
    )
  })

  it('takes of two certificates for one key the valid one, and of two valid ones the one that ends last', () => {
    const days = (from: number, to: number) => ({
      notBefore: new Date(NOW + from * DAY_MS),
      notAfter: new Date(NOW + to * DAY_MS),
    })
    const fingerprints = (dates: ReturnType<typeof days>[]) => {
      const pems = dates.map((validity) => reissue(issued.privateKeyPem, validity))
      const texts = [pems, [...pems].reverse()].map((list) => list.join('') + issued.privateKeyPem)
      const taken = texts.map((text) => readCertificate(text, NOW).fingerprint)
      assert.equal(taken[0], taken[1])
      return pems.findIndex(
        (text) =>
          new X509Certificate(text).fingerprint256.replaceAll(':', '').toLowerCase() === taken[0],
      )
    }
    const old = days(-400, -35)
    const current = days(-40, 325)
    const renewed = days(-1, 364)
    const early = days(10, 375)
    assert.equal(fingerprints([old, current]), 1)
    assert.equal(fingerprints([current, renewed]), 1)
    assert.equal(fingerprints([current, early, old]), 0)
    const both =
      reissue(issued.privateKeyPem, old) + reissue(issued.privateKeyPem, days(-800, -435))
    assert.equal(
      codeOf(() => readCertificate(both + issued.privateKeyPem, NOW)),
      'certificate-expired',
    )
  })

  it('takes a push certificate before one that is for something else', () => {
    const other = issue({ appleExtensions: false, notAfter: new Date(NOW + 900 * DAY_MS) })
    const all = other.certificatePem + other.privateKeyPem + pem
    assert.equal(readCertificate(all, NOW).fingerprint, readCertificate(pem, NOW).fingerprint)
  })

  it('keeps the authorities that the certificate leads to, in TLS’ order, and no strangers', () => {
    const stranger = Authority.create()
    const { certificatePem } = readCertificate(
      stranger.certificatePem + authority.certificatePem + pem,
      NOW,
    )
    const kept = certificatePem.match(/-----BEGIN.*?END CERTIFICATE-----/gs) ?? []
    assert.deepEqual(
      kept.map((text) => new X509Certificate(text).fingerprint256),
      [issued.certificatePem, authority.certificatePem].map(
        (text) => new X509Certificate(text).fingerprint256,
      ),
    )
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
      ['passphrase-missing', issued.certificatePem + encrypted],
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

  it('says in a sentence what is wrong, with the dates, and what is there instead', () => {
    const expired = issue({ notAfter: new Date(Date.UTC(2026, 1, 3)) })
    const early = issue({ notBefore: new Date(Date.UTC(2026, 11, 4)) })
    const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
    const publicPem = publicKey.export({ type: 'spki', format: 'pem' }).toString()
    const p8 = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()
    const cases: [string, RegExp][] = [
      [expired.certificatePem + expired.privateKeyPem, /expired on 2026-02-03\./],
      [early.certificatePem + early.privateKeyPem, /not valid before 2026-12-04\./],
      [issued.certificatePem, /no private key beside the certificate.* where the signing request/],
      [p8, /only a private key.*\(\.p8\) goes with a key ID and a team ID/],
      [publicPem, /only a public key/],
      ['nothing', /neither PEM nor DER nor PKCS#12/],
    ]
    for (const [text, message] of cases)
      assert.throws(() => readCertificate(text, NOW), { name: 'CredentialError', message })
  })

  it('refuses what TLS would refuse when connecting', () => {
    const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 512 })
    const key = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()
    const weak = reissue(key, {
      notBefore: new Date(NOW - DAY_MS),
      notAfter: new Date(NOW + DAY_MS),
    })
    assert.throws(() => readCertificate(weak + key, NOW), {
      code: 'certificate-unusable',
      message: /key too small/,
    })
    assert.equal(readCertificate(weak + key, null).defaultTopic, 'com.example.app')
  })

  it('says that Apple’s extensions are malformed, as anything else', () => {
    const certificate = forge.pki.certificateFromPem(issued.certificatePem)
    certificate.setExtensions([
      ...certificate.extensions.filter(
        ({ id }: { id: string }) => !id.startsWith('1.2.840.113635'),
      ),
      { id: '1.2.840.113635.100.6.3.6', value: '\x30\x7f' },
    ])
    certificate.sign(forge.pki.privateKeyFromPem(issued.privateKeyPem))
    const text = forge.pki.certificateToPem(certificate) + issued.privateKeyPem
    assert.equal(
      codeOf(() => readCertificate(text, NOW)),
      'certificate-unreadable',
    )
  })

  it('refuses a file of more certificates or keys than one app has', () => {
    const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
    const key = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()
    for (const text of [
      issued.certificatePem.repeat(101) + key,
      issued.certificatePem + key.repeat(21),
    ])
      assert.equal(
        codeOf(() => readCertificate(text, NOW)),
        'credential-too-large',
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
