import assert from 'node:assert/strict'
import { generateKeyPairSync, sign } from 'node:crypto'
import { test } from 'node:test'
import { ProviderKeys } from './provider-tokens.ts'
import { signProviderToken } from './test-client.ts'

test('takes a provider token that an issued key has signed', () => {
  const keys = new ProviderKeys()
  const key = keys.issue({ topics: ['com.example.app'], environments: ['sandbox'] })
  assert.match(key.key, /^-----BEGIN PRIVATE KEY-----/)
  assert.match(key.keyId, /^[A-Z0-9]{10}$/)
  const token = keys.check(signProviderToken(key, { iat: 1_800_000_000 }))
  assert.deepEqual(token, {
    keyId: key.keyId,
    teamId: key.teamId,
    issuedAtMs: 1_800_000_000_000,
    topics: ['com.example.app'],
    environments: ['sandbox'],
  })
})

test('refuses a signature by another key, and one over other claims', () => {
  const keys = new ProviderKeys()
  const key = keys.issue()
  const stranger = { ...new ProviderKeys().issue(), keyId: key.keyId, teamId: key.teamId }
  assert.equal(keys.check(signProviderToken(stranger)), null)
  const [header, , signature] = signProviderToken(key).split('.')
  const [, claims] = signProviderToken(key, { iat: 1 }).split('.')
  assert.equal(keys.check([header, claims, signature].join('.')), null)
})

test('refuses wrong algorithm, key ID, team ID and time of issue', () => {
  const keys = new ProviderKeys()
  const key = keys.issue()
  assert.equal(keys.check(signProviderToken(key, {}, { alg: 'ES384' })), null)
  assert.equal(keys.check(signProviderToken(key, {}, { alg: 'none' })), null)
  assert.equal(keys.check(signProviderToken(key, {}, { kid: 'NOBODY' })), null)
  assert.equal(keys.check(signProviderToken(key, {}, { kid: undefined })), null)
  assert.equal(keys.check(signProviderToken(key, { iss: 'ANOTHER' })), null)
  assert.equal(keys.check(signProviderToken(key, { iat: 'now' })), null)
})

test('refuses a signature in DER', () => {
  const keys = new ProviderKeys()
  const key = keys.issue()
  const signed = signProviderToken(key).split('.').slice(0, 2).join('.')
  const der = sign('sha256', Buffer.from(signed), { key: key.key, dsaEncoding: 'der' })
  assert.equal(keys.check(`${signed}.${der.toString('base64url')}`), null)
})

test('refuses what is no JWT', () => {
  const keys = new ProviderKeys()
  const good = signProviderToken(keys.issue())
  for (const text of ['', '.', '..', 'a.b.c', 'bnVsbA.bnVsbA.AA', `${good}.x`, 'x'.repeat(5000)]) {
    assert.equal(keys.check(text), null)
  }
})

test('forgets what a key ID stood for when it is issued again', () => {
  const keys = new ProviderKeys()
  const first = keys.issue({ keyId: 'SAMESAME01', teamId: 'TEAMTEAM01' })
  const providerToken = signProviderToken(first)
  assert.notEqual(keys.check(providerToken), null)
  keys.issue({ keyId: 'SAMESAME01', teamId: 'TEAMTEAM01' })
  assert.equal(keys.check(providerToken), null)
})

test('takes up a key again', () => {
  const before = new ProviderKeys().issue()
  const keys = new ProviderKeys()
  assert.deepEqual(keys.issue(before), before)
  assert.notEqual(keys.check(signProviderToken(before)), null)
})

test('takes up no key but P-256', () => {
  const p384 = generateKeyPairSync('ec', {
    namedCurve: 'P-384',
    publicKeyEncoding: { type: 'spki', format: 'pem' },
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
  })
  for (const key of [p384.privateKey, 'nonsense']) {
    assert.throws(() => new ProviderKeys().issue({ key }), {
      code: 'BAD_INPUT',
      message: /is not a P-256 key/,
    })
  }
})
