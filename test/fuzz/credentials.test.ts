/**
 * Throws damaged credentials at the readers for FUZZ_SECONDS (2 unless told): whatever comes, it gives a credential or a
 * CredentialError, soon, and no error shows what was given. FUZZ_SEED repeats a run.
 */

import assert from 'node:assert/strict'
import { createPrivateKey, X509Certificate } from 'node:crypto'
import { test } from 'node:test'
import { CredentialError, readCertificate, readSigningKey } from '@apnsd/apns'
import { Authority } from '@apnsd/simulator'
import * as fc from 'fast-check'
import { OpensslFolder } from '../../packages/apns/src/credentials/testing/openssl-folder.ts'
import { missing } from '../support/system-parts.ts'

const budgetMs = Number(process.env['FUZZ_SECONDS'] ?? 2) * 1000
const seed = Number(process.env['FUZZ_SEED'] ?? Math.floor(Math.random() * 2 ** 31))

const PASSPHRASE = 'correct horse'

const issued = Authority.create().issuePushCertificate({
  topic: 'com.example.app',
  environments: ['sandbox', 'production'],
  topics: [{ topic: 'com.example.app', label: 'app' }],
  appleExtensions: true,
  notBefore: new Date(Date.now() - 86_400_000),
  notAfter: new Date(Date.now() + 86_400_000),
})
const key = createPrivateKey(issued.privateKeyPem)
const encryptedKey = key.export({
  ...({ type: 'pkcs8', format: 'pem', cipher: 'aes-256-cbc', passphrase: PASSPHRASE } as const),
})

/** Files of each kind, small in rounds so that a run gets far. */
function makeSamples(): Buffer[] {
  const folder = new OpensslFolder()
  try {
    folder.write('pair.pem', issued.certificatePem + issued.privateKeyPem)
    const p12 = (...args: string[]): Buffer =>
      folder.openssl(
        ...['pkcs12', '-export', '-in', 'pair.pem', '-passout', `pass:${PASSPHRASE}`],
        ...['-iter', '2', ...args],
      )
    return [
      p12(),
      p12('-legacy'),
      p12('-nomac'),
      p12('-keypbe', 'NONE', '-certpbe', 'NONE', '-nomac'),
      p12('-nomac', '-legacy'),
      Buffer.from(issued.certificatePem + issued.privateKeyPem),
      Buffer.from(issued.certificatePem + encryptedKey.toString()),
      folder.openssl(
        'rsa',
        '-in',
        'pair.pem',
        '-traditional',
        '-des3',
        '-passout',
        `pass:${PASSPHRASE}`,
      ),
      new X509Certificate(issued.certificatePem).raw,
      key.export({ type: 'pkcs8', format: 'der' }),
      key.export({ type: 'pkcs1', format: 'der' }),
    ]
  } finally {
    folder.close()
  }
}

/** Bytes that mean something to one of the readers. */
const PIECES = [
  ...[
    '30',
    '3080',
    '0000',
    '2480',
    '0202ffff',
    '02047fffffff',
    '0500',
    '0400',
    'a080',
    '8000',
    '06',
  ],
  ...['02010330', '308201', '3084ffffffff', '0209', '040830'],
].map((hex) => Buffer.from(hex, 'hex'))
const WORDS = [
  '-----BEGIN CERTIFICATE-----',
  '-----END PRIVATE KEY-----',
  'Proc-Type: 4,ENCRYPTED\n',
]
  .concat('DEK-Info: AES-256-CBC,00', '-----BEGIN PKCS12-----', '\\n', '=', '\ufeff')
  .map((word) => Buffer.from(word))

const piece = fc.oneof(
  fc.constantFrom(...PIECES, ...WORDS),
  fc.uint8Array({ minLength: 0, maxLength: 8 }).map((bytes) => Buffer.from(bytes)),
)
const change = fc.tuple(fc.double({ min: 0, max: 1, noNaN: true }), fc.nat(8), piece)

function damage(sample: Buffer, changes: [number, number, Buffer][]): Buffer {
  return changes.reduce((bytes, [where, cut, put]) => {
    const at = Math.floor(where * bytes.length)
    return Buffer.concat([bytes.subarray(0, at), put, bytes.subarray(at + cut)])
  }, sample)
}

/** Runs a property until its share of the budget is spent, at least once. */
function fuzz<T>(property: fc.IProperty<T>): number {
  const endMs = Date.now() + budgetMs / 2
  let round = 0
  do {
    fc.assert(property, { numRuns: 50, seed: seed + round })
    round += 1
  } while (Date.now() < endMs)
  return round * 50
}

function takesOrTells(read: () => unknown): void {
  try {
    read()
  } catch (error) {
    if (!(error instanceof CredentialError)) throw error
    assert.doesNotMatch(error.message, /correct horse|[A-Za-z0-9+/]{40}/)
  }
}

function readAll(file: string | Uint8Array, passphrase: string | undefined): void {
  takesOrTells(() => readCertificate({ certificate: file, passphrase }))
  takesOrTells(() => readCertificate({ certificate: issued.certificatePem, key: file, passphrase }))
  takesOrTells(() => readCertificate(file, null))
  takesOrTells(() => readSigningKey(file, 'ABCDE12345', 'TEAM123456'))
}

const passphrases = fc.constantFrom(PASSPHRASE, 'wrong', '', undefined)

test('damaged files give a credential or a CredentialError', { skip: missing('openssl') }, (t) => {
  t.diagnostic(`FUZZ_SEED=${seed}`)
  const changes = fc.array(change, { minLength: 1, maxLength: 4 })
  const property = fc.property(
    fc.constantFrom(...makeSamples()),
    changes,
    fc.boolean(),
    passphrases,
    (sample, damages, asText, passphrase) => {
      const bytes = damage(sample, damages)
      readAll(asText ? bytes.toString('latin1') : bytes, passphrase)
    },
  )
  t.diagnostic(`${fuzz(property)} files`)
})

test('any bytes and any text give a credential or a CredentialError', (t) => {
  t.diagnostic(`FUZZ_SEED=${seed}`)
  const file = fc.oneof(
    fc.uint8Array({ maxLength: 300 }),
    fc.string({ unit: 'binary' }),
    fc.array(piece, { maxLength: 40 }).map((pieces) => Buffer.concat(pieces)),
    fc.array(piece, { maxLength: 40 }).map((pieces) => Buffer.concat(pieces).toString('base64')),
    fc.array(fc.constantFrom(...WORDS)).map((words) => words.join('AAAA')),
  )
  t.diagnostic(`${fuzz(fc.property(file, passphrases, readAll))} files`)
})
