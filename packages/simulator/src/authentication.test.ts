import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  type AuthenticationWorld,
  authenticate,
  type Grant,
  PROVIDER_TOKEN_MAX_AGE_MS,
  PROVIDER_TOKEN_UPDATE_WINDOW_MS,
  type ProviderTokenBinding,
} from './authentication.ts'
import type { CertificateIdentity } from './client-certificate.ts'
import type { Environment } from './environment.ts'
import type { ProviderToken } from './provider-tokens.ts'

const NOW_MS = 1_800_000_000_000

function token(change: Partial<ProviderToken> = {}): ProviderToken {
  return {
    keyId: 'KEY1',
    teamId: 'TEAM1',
    issuedAtMs: NOW_MS,
    topics: null,
    environments: ['production'],
    ...change,
  }
}

const TOKENS = new Map<string, ProviderToken>([
  ['first', token()],
  ['second', token()],
  ['third', token()],
  ['otherKey', token({ keyId: 'KEY2' })],
  ['otherTeam', token({ keyId: 'KEY3', teamId: 'TEAM2' })],
])

function world(
  environment: Environment | 'any' = 'any',
  extra: [string, ProviderToken][] = [],
): AuthenticationWorld {
  const tokens = new Map([...TOKENS, ...extra])
  return { environment, checkProviderToken: (text) => tokens.get(text) ?? null }
}

function withToken(
  text: string,
  binding: ProviderTokenBinding | null = null,
  nowMs = NOW_MS,
  of = world(),
): Grant | string {
  return authenticate(`bearer ${text}`, { certificate: null, binding }, of, nowMs)
}

function bound(text: string, binding: ProviderTokenBinding | null = null, nowMs = NOW_MS) {
  const grant = withToken(text, binding, nowMs)
  if (typeof grant === 'string') return assert.fail(`${text} is refused: ${grant}`)
  return grant.binding
}

function withCertificate(
  change: Partial<CertificateIdentity>,
  environment: Environment | 'any' = 'any',
): Grant | string {
  const certificate = {
    trusted: true,
    topics: ['com.example.app'],
    defaultTopic: 'com.example.app',
    environments: ['production'] as const,
    notBeforeMs: NOW_MS,
    notAfterMs: NOW_MS,
    ...change,
  }
  return authenticate('bearer bad', { certificate, binding: null }, world(environment), NOW_MS)
}

test('wants the scheme in lower case and one blank', () => {
  const connection = { certificate: null, binding: null }
  for (const authorization of ['first', 'Bearer first', 'bearer  first', 'basic first']) {
    assert.equal(authenticate(authorization, connection, world(), NOW_MS), 'InvalidProviderToken')
  }
})

test('takes a provider token up to an hour old', () => {
  const of = world('any', [['old', token({ issuedAtMs: NOW_MS - PROVIDER_TOKEN_MAX_AGE_MS })]])
  assert.equal(typeof withToken('old', null, NOW_MS, of), 'object')
  assert.equal(withToken('old', null, NOW_MS + 1, of), 'ExpiredProviderToken')
})

test('refuses a provider token from more than an hour ahead', () => {
  const of = world('any', [['ahead', token({ issuedAtMs: NOW_MS + PROVIDER_TOKEN_MAX_AGE_MS })]])
  assert.equal(typeof withToken('ahead', null, NOW_MS, of), 'object')
  assert.equal(withToken('ahead', null, NOW_MS - 1, of), 'InvalidProviderToken')
})

test('refuses a key of the other environment', () => {
  assert.equal(withToken('first', null, NOW_MS, world('sandbox')), 'BadEnvironmentKeyInToken')
  assert.equal(typeof withToken('first', null, NOW_MS, world('production')), 'object')
})

test('refuses another team and another key on a connection that has begun', () => {
  const binding = bound('first')
  assert.equal(withToken('otherTeam', binding), 'InvalidProviderToken')
  assert.equal(withToken('otherKey', binding), 'UnrelatedKeyIdInToken')
})

test('keeps the binding as it is while the provider token stays the same', () => {
  const binding = bound('first')
  assert.equal(bound('first', binding), binding)
})

test('refuses another provider token within 20 minutes of the first, or of the last change', () => {
  const first = bound('first')
  const tooEarlyMs = NOW_MS + PROVIDER_TOKEN_UPDATE_WINDOW_MS - 1
  assert.equal(withToken('second', first, tooEarlyMs), 'TooManyProviderTokenUpdates')
  const changed = bound('second', first, tooEarlyMs + 1)
  assert.equal(changed?.changedAtMs, tooEarlyMs + 1)
  const tooSoonMs = tooEarlyMs + PROVIDER_TOKEN_UPDATE_WINDOW_MS
  assert.equal(withToken('third', changed, tooSoonMs), 'TooManyProviderTokenUpdates')
  assert.equal(withToken('first', changed, tooSoonMs), 'TooManyProviderTokenUpdates')
  assert.equal(typeof withToken('second', changed, tooSoonMs), 'object')
  assert.equal(bound('third', changed, tooSoonMs + 1)?.text, 'third')
})

test('goes by the client certificate and ignores the provider token beside it', () => {
  assert.deepEqual(withCertificate({}), {
    topics: ['com.example.app'],
    defaultTopic: 'com.example.app',
    by: 'certificate',
    binding: null,
  })
})

test('refuses a client certificate that is not ours, not yet good or no longer good', () => {
  assert.equal(withCertificate({ trusted: false }), 'BadCertificate')
  assert.equal(withCertificate({ notBeforeMs: NOW_MS + 1 }), 'BadCertificate')
  assert.equal(withCertificate({ notAfterMs: NOW_MS - 1 }), 'BadCertificate')
})

test('refuses a client certificate of the other environment', () => {
  assert.equal(withCertificate({}, 'sandbox'), 'BadCertificateEnvironment')
  assert.equal(typeof withCertificate({}, 'production'), 'object')
})
