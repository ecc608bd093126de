import assert from 'node:assert/strict'
import { createPrivateKey, generateKeyPairSync } from 'node:crypto'
import { describe, it } from 'node:test'
import { Authority } from '@apnsd/simulator'
import { CredentialError } from '../errors.ts'
import type { CredentialFile } from './credential-file.ts'
import { readSigningKey } from './signing-key.ts'

const p8 = (curve: string): string =>
  generateKeyPairSync('ec', { namedCurve: curve }).privateKey.export({
    type: 'pkcs8',
    format: 'pem',
  }) as string

describe('readSigningKey', () => {
  const key = p8('prime256v1')

  it('reads a .p8 file, and tells keys apart by fingerprint', () => {
    const credential = readSigningKey(key, 'ABCDE12345', 'TEAM123456')
    assert.equal(credential.type, 'token')
    assert.equal(
      readSigningKey(`\n${key}\n`, 'ABCDE12345', 'TEAM123456').fingerprint,
      credential.fingerprint,
    )
    assert.notEqual(
      readSigningKey(key, 'ABCDE12346', 'TEAM123456').fingerprint,
      credential.fingerprint,
    )
    assert.notEqual(
      readSigningKey(p8('prime256v1'), 'ABCDE12345', 'TEAM123456').fingerprint,
      credential.fingerprint,
    )
  })

  it('reads what became of a .p8 file on its way', () => {
    const { fingerprint } = readSigningKey(key, 'ABCDE12345', 'TEAM123456')
    const der = createPrivateKey(key).export({ type: 'pkcs8', format: 'der' })
    const spoilt: CredentialFile[] = [
      key.replaceAll('\n', '\r\n'),
      key.trimEnd(),
      key.replaceAll('\n', '\\n'),
      `"${key.replaceAll('\n', '\\n')}"`,
      key.replaceAll('\n', ' '),
      key.replaceAll('\n', ''),
      der.toString('base64'),
      Buffer.from(key).toString('base64'),
      Buffer.from(key),
      der,
      createPrivateKey(key).export({ type: 'sec1', format: 'pem' }),
    ]
    for (const file of spoilt)
      assert.equal(readSigningKey(file, ' ABCDE12345', 'TEAM123456\n').fingerprint, fingerprint)
  })

  it('says by code what is wrong', () => {
    const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey.export({
      type: 'pkcs8',
      format: 'pem',
    }) as string
    const cases: [string, string, string, string][] = [
      ['key-missing', 'AuthKey_ABCDE12345.p8', 'ABCDE12345', 'TEAM123456'],
      ['key-wrong-kind', p8('secp384r1'), 'ABCDE12345', 'TEAM123456'],
      ['key-wrong-kind', rsa, 'ABCDE12345', 'TEAM123456'],
      ['key-unreadable', key.replace(/\n.{10}/, '\n??????????'), 'ABCDE12345', 'TEAM123456'],
      ['key-id-malformed', key, 'ABCDE1234', 'TEAM123456'],
      ['team-id-malformed', key, 'ABCDE12345', 'com.example'],
    ]
    for (const [code, text, keyId, teamId] of cases)
      assert.throws(
        () => readSigningKey(text, keyId, teamId),
        (error) => error instanceof CredentialError && error.code === code,
        code,
      )
  })

  it('says in a sentence what it is instead of a signing key', () => {
    const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
    const { certificatePem } = Authority.create()
    const encrypted = createPrivateKey(key).export({
      ...({ type: 'pkcs8', format: 'pem', cipher: 'aes-256-cbc', passphrase: 'x' } as const),
    })
    const cases: [CredentialFile, string, RegExp][] = [
      [publicKey.export({ type: 'spki', format: 'pem' }), 'key-wrong-kind', /but a public key\./],
      [certificatePem, 'key-wrong-kind', /but a certificate\./],
      [privateKey.export({ type: 'pkcs1', format: 'pem' }), 'key-wrong-kind', /this one is RSA\./],
      [p8('secp384r1'), 'key-wrong-kind', /this one is secp384r1\./],
      [encrypted, 'key-encrypted', /encrypted with a passphrase/],
      ['nothing', 'key-missing', /no private key/],
    ]
    for (const [file, code, message] of cases)
      assert.throws(() => readSigningKey(file, 'ABCDE12345', 'TEAM123456'), { code, message })
  })

  it('says what is wrong with a key ID or a team ID, without showing it', () => {
    const uuid = '69a6de70-03db-47e3-e053-5b8c7c11a4d1'
    const cases: [keyId: string, teamId: string, code: string, message: RegExp][] = [
      ['AuthKey_ABCDE12345.p8', 'TEAM123456', 'key-id-malformed', /name of a file/],
      [uuid, 'TEAM123456', 'key-id-malformed', /this is a UUID/],
      ['abcde12345', 'TEAM123456', 'key-id-malformed', /small letters/],
      ['ABCDE1234_', 'TEAM123456', 'key-id-malformed', /10 characters, not all of them such/],
      [key, 'TEAM123456', 'key-id-malformed', /this has \d+ characters\./],
      ['', 'TEAM123456', 'key-id-malformed', /this has 0 characters\./],
      ['ABCDE12345', 'com.example.app', 'team-id-malformed', /bundle identifier/],
      ['ABCDE12345', uuid, 'team-id-malformed', /this is a UUID/],
      ['ABCDE12345', 'TEAM12345', 'team-id-malformed', /this has 9 characters\./],
      ['ABCDE12345', 'ABCDE12345', 'team-id-malformed', /are the same/],
    ]
    for (const [keyId, teamId, code, message] of cases)
      assert.throws(
        () => readSigningKey(key, keyId, teamId),
        (error: Error & { code?: string }) => {
          assert.equal(error.code, code)
          assert.match(error.message, message)
          for (const secret of [key.slice(30, 60), uuid]) assert.ok(!error.message.includes(secret))
          return true
        },
      )
  })
})
