import assert from 'node:assert/strict'
import { createPublicKey, generateKeyPairSync, X509Certificate } from 'node:crypto'
import { after, before, describe, it } from 'node:test'
import { Authority } from '@apnsd/simulator'
import { missing } from '../../../../test/support/system-parts.ts'
import { CredentialError } from '../errors.ts'
import { decodeCredentialFile } from './credential-file.ts'
import { OpensslFolder } from './testing/openssl-folder.ts'

const labelsOf = (file: string | Uint8Array): string[] =>
  decodeCredentialFile(file).map(({ label, der }) => (der === null ? `${label}, not whole` : label))

const authority = Authority.create()
const { certificatePem, privateKeyPem } = authority
const certificate = new X509Certificate(certificatePem)
const certificateDer = certificate.raw
const { privateKey: ecKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
const { privateKey: rsaKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })

describe('decodeCredentialFile', () => {
  it('finds PEM blocks among other text, as text and as bytes', () => {
    const text = `Bag Attributes\n  friendlyName: Grüße\n${certificatePem}\n<No Attributes>\n${privateKeyPem}`
    for (const file of [text, Buffer.from(text), new Uint8Array(Buffer.from(text))])
      assert.deepEqual(labelsOf(file), ['CERTIFICATE', 'PRIVATE KEY'])
    assert.deepEqual(decodeCredentialFile(text)[0]?.der, certificateDer)
  })

  it('reads PEM whatever became of its line ends', () => {
    const spoilt = [
      certificatePem.replaceAll('\n', '\r\n'),
      certificatePem.replaceAll('\n', '\r'),
      certificatePem.replaceAll('\n', ''),
      certificatePem.replaceAll('\n', ' '),
      certificatePem.replaceAll('\n', '\\n'),
      certificatePem.replaceAll('\n', '\\r\\n'),
      certificatePem.replaceAll('\n', '\\\\n'),
      JSON.stringify(certificatePem),
      certificatePem.trim(),
      `\ufeff${certificatePem}`,
      certificatePem.replaceAll('\n', '\n\n  '),
    ]
    for (const text of spoilt)
      assert.deepEqual(decodeCredentialFile(text), [
        { label: 'CERTIFICATE', der: certificateDer, encryption: null },
      ])
  })

  it('reads PEM in UTF-16, as editors of Windows may save it', () => {
    const little = Buffer.from(`\ufeff${certificatePem}`, 'utf16le')
    for (const bytes of [little, Buffer.from(little).swap16()])
      assert.deepEqual(labelsOf(bytes), ['CERTIFICATE'])
  })

  it('reads DER, its base64, and the base64 of PEM', () => {
    const files = [
      certificateDer,
      certificateDer.toString('latin1'),
      certificateDer.toString('base64'),
      Buffer.from(certificateDer.toString('base64')),
      certificateDer.toString('base64url'),
      certificateDer.toString('base64').replace(/.{76}/g, '$&\n'),
      Buffer.from(certificatePem).toString('base64'),
    ]
    for (const file of files) {
      assert.deepEqual(labelsOf(file), ['CERTIFICATE'])
      assert.deepEqual(decodeCredentialFile(file)[0]?.der, certificateDer)
    }
  })

  it('tells by its shape what a DER file holds', () => {
    const keys: [string, Buffer][] = [
      ['PRIVATE KEY', ecKey.export({ type: 'pkcs8', format: 'der' })],
      ['PRIVATE KEY', rsaKey.export({ type: 'pkcs8', format: 'der' })],
      ['EC PRIVATE KEY', ecKey.export({ type: 'sec1', format: 'der' })],
      ['RSA PRIVATE KEY', rsaKey.export({ type: 'pkcs1', format: 'der' })],
      ['PUBLIC KEY', createPublicKey(ecKey).export({ type: 'spki', format: 'der' })],
      ['PUBLIC KEY', createPublicKey(rsaKey).export({ type: 'spki', format: 'der' })],
      [
        'ENCRYPTED PRIVATE KEY',
        ecKey.export({ type: 'pkcs8', format: 'der', cipher: 'aes-256-cbc', passphrase: 'x' }),
      ],
    ]
    for (const [label, file] of keys) assert.deepEqual(labelsOf(file), [label])
  })

  it('says of a block that it is cut off or no base64', () => {
    const [half = ''] = certificatePem.split('-----END')
    assert.deepEqual(labelsOf(half), ['CERTIFICATE, not whole'])
    assert.deepEqual(labelsOf(half + privateKeyPem), ['CERTIFICATE, not whole', 'PRIVATE KEY'])
    assert.deepEqual(labelsOf(certificatePem.replace('MII', 'M??')), ['CERTIFICATE, not whole'])
  })

  it('finds nothing in what is none of them', () => {
    const nothing = [
      '',
      'no PEM',
      '/etc/apns/app.pem',
      '-----END CERTIFICATE-----',
      'AAAA',
      '0',
      '\0\0',
    ]
    for (const text of nothing) {
      assert.deepEqual(decodeCredentialFile(text), [])
      assert.deepEqual(decodeCredentialFile(Buffer.from(text)), [])
    }
    assert.deepEqual(decodeCredentialFile(certificateDer.subarray(0, 500)), [])
  })

  it('refuses what is too large before it looks at it', () => {
    for (const file of ['x'.repeat(300_000), Buffer.alloc(300_000)])
      assert.throws(
        () => decodeCredentialFile(file),
        (error) => error instanceof CredentialError && error.code === 'credential-too-large',
      )
  })

  it('gets through files that make a parser go back and forth', () => {
    const repeated = (text: string): string => text.repeat(Math.floor(262_144 / text.length))
    const texts = [
      '-----BEGIN A-----',
      '-----BEGIN ',
      '-',
      '\\',
      '\\n',
      '0',
      'Proc-Type: 4,ENCRYPTED ',
    ]
    for (const text of texts) decodeCredentialFile(repeated(text))
    decodeCredentialFile(
      `-----BEGIN A-----${repeated('Proc-Type: 4,ENCRYPTED DEK-Info: A').slice(0, 262_000)}-----END A-----`,
    )
    for (const byte of ['30', '3080', '0201', '3003']) {
      const file = Buffer.from(byte.repeat(Math.floor(262_144 / (byte.length / 2))), 'hex')
      decodeCredentialFile(file)
    }
  })
})

describe('decodeCredentialFile, with files that OpenSSL writes', {
  skip: missing('openssl'),
}, () => {
  let folder: OpensslFolder
  before(() => {
    folder = new OpensslFolder()
    folder.write('key.pem', privateKeyPem)
    folder.write('certificate.pem', certificatePem)
  })
  after(() => folder.close())

  it('knows requests, PKCS#7 and PKCS#12, in PEM and DER', () => {
    const request = ['req', '-new', '-key', 'key.pem', '-subj', '/CN=x']
    const bundle = ['crl2pkcs7', '-nocrl', '-certfile', 'certificate.pem']
    const p12 = folder.openssl(
      ...['pkcs12', '-export', '-in', 'certificate.pem', '-inkey', 'key.pem', '-passout', 'pass:x'],
    )
    const files: [string, Buffer | string][] = [
      ['CERTIFICATE REQUEST', folder.openssl(...request)],
      ['CERTIFICATE REQUEST', folder.openssl(...request, '-outform', 'DER')],
      ['CERTIFICATE REQUEST', folder.openssl(...request, '-newhdr')],
      ['PKCS7', folder.openssl(...bundle)],
      ['PKCS7', folder.openssl(...bundle, '-outform', 'DER')],
      ['CERTIFICATE', folder.openssl('x509', '-in', 'certificate.pem', '-trustout')],
      ['PKCS12', p12],
      ['PKCS12', p12.toString('base64')],
      ['PKCS12', p12.subarray(0, 100)],
      // as GnuTLS' certtool writes it unless told otherwise
      ['PKCS12', `-----BEGIN PKCS12-----\n${p12.toString('base64')}\n-----END PKCS12-----\n`],
    ]
    for (const [label, file] of files) assert.deepEqual(labelsOf(file), [label])
  })
})
