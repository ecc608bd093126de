import assert from 'node:assert/strict'
import { beforeEach, test } from 'node:test'
import type { Credential } from '@apnsd/apns'
import { type App, DEFAULT_POLICY } from '../core/apps/app.ts'
import { ExpiryWatch } from './expiry-watch.ts'

const DAY_MS = 86_400_000
const END_MS = Date.UTC(2026, 5, 30, 12)

interface Told {
  readonly level: string
  readonly app: string
  readonly detail: string
}

let told: Told[] = []
let nowMs = 0
let apps: App[] = []
const tell = (level: string) => (fields: object) => void told.push({ level, ...fields } as Told)
const log = { debug: tell('debug'), info: tell('info'), warn: tell('warn'), error: tell('error') }
const watch = () =>
  new ExpiryWatch({ listApps: () => apps, clock: { now: () => nowMs, elapsed: () => nowMs }, log })

const appWith = (id: string, fingerprint: string, notAfterMs = END_MS): App => ({
  ...{ id, environment: 'sandbox', topic: 'com.example.a', connectTimeoutS: 15, reachedAtMs: null },
  policy: DEFAULT_POLICY,
  credential: { type: 'certificate', fingerprint, notAfterMs } as Credential,
})

beforeEach(() => {
  told = []
  apps = [appWith('a', 'f1')]
})

/** Checks so many days before the end, and gives what was told. */
function checkAt(expiry: ExpiryWatch, days: number): string[] {
  told = []
  nowMs = END_MS - days * DAY_MS
  expiry.check()
  return told.map(({ level, app }) => `${level} ${app}`)
}

test('each warning is given once, when it has become due', () => {
  const expiry = watch()
  assert.deepEqual(checkAt(expiry, 40), [])
  assert.deepEqual(checkAt(expiry, 30), ['warn a'])
  assert.deepEqual(checkAt(expiry, 29), [])
  assert.deepEqual(checkAt(expiry, 7), ['warn a'])
  assert.deepEqual(checkAt(expiry, 2), [])
  assert.deepEqual(checkAt(expiry, 0.9), ['warn a'])
  assert.match(told[0]?.detail ?? '', /ends on 2026-06-30, less than a day from now/)
  assert.deepEqual(checkAt(expiry, 0), [])
  assert.deepEqual(checkAt(expiry, -0.1), ['error a'])
  assert.deepEqual(checkAt(expiry, -100), [])
})

test('what is found at the start is told by the most urgent warning alone', () => {
  nowMs = END_MS - 0.5 * DAY_MS
  const expiry = watch()
  expiry.start()
  expiry.stop()
  assert.deepEqual(
    told.map(({ level, app }) => `${level} ${app}`),
    ['warn a'],
  )
  assert.deepEqual(checkAt(expiry, 0.4), [])
})

test('the clock has it checked every hour until it is stopped', (t) => {
  t.mock.timers.enable({ apis: ['setInterval'] })
  nowMs = END_MS - 31 * DAY_MS
  const expiry = watch()
  expiry.start()
  nowMs = END_MS - 30 * DAY_MS
  t.mock.timers.tick(3_599_999)
  assert.equal(told.length, 0)
  t.mock.timers.tick(1)
  assert.equal(told.length, 1)
  expiry.stop()
  nowMs = END_MS
  t.mock.timers.tick(10 * 3_600_000)
  assert.equal(told.length, 1)
})

test('a certificate is warned of once, however many apps have it; a new one anew, a signing key never', () => {
  apps = [
    appWith('a', 'f1'),
    appWith('b', 'f1'),
    appWith('c', 'f2'),
    { ...appWith('d', 'f3'), credential: { type: 'token', fingerprint: 'f3' } as Credential },
  ]
  const expiry = watch()
  assert.deepEqual(checkAt(expiry, 5), ['warn a', 'warn c'])
  apps = [appWith('a', 'f4'), appWith('b', 'f1')]
  assert.deepEqual(checkAt(expiry, 5), ['warn a'])
  apps = [appWith('a', 'f5', END_MS + 365 * DAY_MS)]
  assert.deepEqual(checkAt(expiry, 5), [])
})
