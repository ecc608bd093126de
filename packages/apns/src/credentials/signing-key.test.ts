import assert from 'node:assert/strict'
import { generateKeyPairSync } from 'node:crypto'
import { describe, it } from 'node:test'
import { CredentialError } from '../errors.ts'
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
})
