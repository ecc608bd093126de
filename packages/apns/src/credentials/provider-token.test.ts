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
  function atMinute(random = () => 0) {
    let nowMs = 1_700_000_000_000
    const source = new ProviderTokenSource(credential, () => nowMs, random)
    return { source, go: (minutes: number) => (nowMs += minutes * MINUTE_MS) }
  }
  const jwtOf = (held: { authorization: string }): string => held.authorization

  it('shares one among connections that open within 27 minutes', () => {
    const { source, go } = atMinute()
    const first = source.adopt()
    go(26)
    assert.equal(jwtOf(source.adopt()), jwtOf(first))
  })

  it('gives a new connection none that must be replaced within 20 minutes, and leaves the old connection its own', () => {
    const { source, go } = atMinute()
    const first = source.adopt()
    go(27)
    const second = source.adopt()
    assert.notEqual(jwtOf(second), jwtOf(first))
    assert.equal(source.renew(first), first)
  })

  it('renews each connection’s between 47 and 50 minutes of age, at times of their own', () => {
    for (const [random, minutes] of [
      [0, 47],
      [0.5, 48.5],
      [0.999, 49.997],
    ] as const) {
      const { source, go } = atMinute(() => random)
      const held = source.adopt()
      go(minutes - 0.01)
      assert.equal(source.renew(held), held)
      go(0.02)
      assert.notEqual(jwtOf(source.renew(held)), jwtOf(held))
    }
  })

  it('never changes one connection’s twice within 20 minutes', () => {
    const { source, go } = atMinute()
    const first = source.adopt()
    go(27)
    const other = source.adopt()
    go(20)
    const renewed = source.renew(first)
    assert.equal(jwtOf(renewed), jwtOf(other))
    go(19.9)
    assert.equal(source.renew(renewed), renewed)
  })

  it('makes a fresh one after Apple called an old one stale', () => {
    const { source, go } = atMinute()
    const first = source.adopt()
    go(20)
    assert.equal(source.discard(), true)
    assert.notEqual(jwtOf(source.adopt()), jwtOf(first))
  })

  it('keeps a young one that Apple calls stale: the clock is wrong, and another would be no better', () => {
    const { source, go } = atMinute()
    const first = source.adopt()
    go(19)
    assert.equal(source.discard(), false)
    assert.equal(jwtOf(source.adopt()), jwtOf(first))
  })
})
