import assert from 'node:assert/strict'
import { createPublicKey, generateKeyPairSync, verify } from 'node:crypto'
import { describe, it } from 'node:test'
import { formatProviderToken, ProviderTokenSource } from './provider-token.ts'
import { readSigningKey } from './signing-key.ts'

const MINUTE_MS = 60_000
const pem = generateKeyPairSync('ec', { namedCurve: 'prime256v1' }).privateKey.export({
  type: 'pkcs8',
  format: 'pem',
}) as string
const credential = readSigningKey(pem, 'ABCDE12345', 'TEAM123456')

describe('formatProviderToken', () => {
  it('signs what Apple asks for, raw R and S', () => {
    const jwt = formatProviderToken(credential, 1_700_000_000_999)
    const [header = '', claims = '', signature = ''] = jwt.split('.')
    const decode = (part: string): unknown => JSON.parse(Buffer.from(part, 'base64url').toString())
    assert.deepEqual(decode(header), { alg: 'ES256', kid: 'ABCDE12345' })
    assert.deepEqual(decode(claims), { iss: 'TEAM123456', iat: 1_700_000_000 })
    const raw = Buffer.from(signature, 'base64url')
    assert.equal(raw.length, 64)
    const key = { key: createPublicKey(pem), dsaEncoding: 'ieee-p1363' as const }
    assert.ok(verify('sha256', Buffer.from(`${header}.${claims}`), key, raw))
  })
})

describe('ProviderTokenSource', () => {
  function atMinute() {
    let nowMs = 1_700_000_000_000
    const source = new ProviderTokenSource(credential, () => nowMs)
    return { source, go: (minutes: number) => (nowMs += minutes * MINUTE_MS) }
  }

  it('shares one among connections that open within half an hour', () => {
    const { source, go } = atMinute()
    const first = source.adopt()
    go(29)
    assert.equal(source.adopt(), first)
  })

  it('gives a new connection none that must be replaced within 20 minutes, and leaves the old connection its own', () => {
    const { source, go } = atMinute()
    const first = source.adopt()
    go(31)
    const second = source.adopt()
    assert.notEqual(second.authorization, first.authorization)
    assert.equal(source.renew(first), first)
  })

  it('renews at 50 minutes, never changing one connection’s twice within 20 minutes', () => {
    const { source, go } = atMinute()
    const first = source.adopt()
    go(49)
    const other = source.adopt()
    assert.equal(source.renew(first), first)
    go(1)
    const renewed = source.renew(first)
    assert.equal(renewed, other)
    go(20)
    assert.equal(source.renew(renewed), renewed)
  })

  it('makes a fresh one after Apple called the last one stale', () => {
    const { source, go } = atMinute()
    const first = source.adopt()
    go(1)
    source.discard()
    assert.notEqual(source.adopt().authorization, first.authorization)
  })
})
