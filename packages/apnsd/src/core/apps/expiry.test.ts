import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { CertificateCredential, Credential } from '@apnsd/apns'
import { type App, DEFAULT_POLICY } from './app.ts'
import { expiryStage, expiryWarning } from './expiry.ts'

const DAY_MS = 86_400_000
const END_MS = Date.UTC(2026, 5, 30, 12)

const appWith = (credential: object, rest: Partial<App> = {}): App => ({
  id: 'a',
  environment: 'sandbox',
  topic: 'com.example.a',
  connectTimeoutS: 15,
  policy: DEFAULT_POLICY,
  reachedAtMs: null,
  credential: credential as Credential,
  ...rest,
})
const certificate: Partial<CertificateCredential> = { type: 'certificate', notAfterMs: END_MS }

test('warnings are due 30, 7 and 1 days before the end, and after it', () => {
  const stageAt = (days: number, ms = 0) => expiryStage(END_MS, END_MS - days * DAY_MS + ms)
  assert.deepEqual([stageAt(31), stageAt(30, -1), stageAt(30), stageAt(8)], [null, null, 30, 30])
  assert.deepEqual([stageAt(7, -1), stageAt(7), stageAt(2)], [30, 7, 7])
  assert.deepEqual([stageAt(1, -1), stageAt(1), stageAt(0)], [7, 1, 1])
  assert.deepEqual([stageAt(0, 1), stageAt(-400)], [0, 0])
})

test('a warning says the day, how far it is, and what to do', () => {
  const at = (days: number, app = appWith(certificate)) =>
    expiryWarning(app, END_MS - days * DAY_MS)
  assert.equal(at(31), null)
  assert.deepEqual(at(6.5), {
    code: 'certificate-expires',
    detail:
      'The certificate ends on 2026-06-30, 6 days from now. Renew it in the Apple developer account and provision the app with it.',
  })
  assert.match(at(1)?.detail ?? '', /, 1 day from now\./)
  assert.match(at(0.5)?.detail ?? '', /, less than a day from now\./)
  const watched = appWith(certificate, { credentialFile: '/etc/push/a.pem' })
  assert.match(at(6.5, watched)?.detail ?? '', / put it into \/etc\/push\/a\.pem\.$/)
  assert.equal(at(-1)?.code, 'certificate-expired')
  assert.match(at(-1)?.detail ?? '', /^The certificate ended on 2026-06-30; /)
})

test('a signing key has no end', () => {
  assert.equal(expiryWarning(appWith({ type: 'token' }), END_MS), null)
})
