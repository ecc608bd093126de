import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { Simulator } from './simulator.ts'
import { assertReason, signProviderToken, TestClient } from './test-client.ts'

test('takes certificates and keys that it issued before a restart', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'simulator-'))
  t.after(() => rmSync(folder, { recursive: true }))
  const first = await Simulator.start({ folder, control: null })
  const certificate = first.issueCertificate({ topic: 'com.example.app' })
  const key = first.issueKey()
  const narrow = first.issueKey({ topics: ['com.example.other'] })
  await first.close()

  const second = await Simulator.start({ folder, control: null })
  t.after(() => second.close())
  assert.equal(second.authority.certificatePem, first.authority.certificatePem)
  assert.equal((await TestClient.open(t, second, { pem: certificate.pem }).push()).status, 200)
  const token = { providerToken: signProviderToken(key) }
  assert.equal((await TestClient.open(t, second, token).push()).status, 200)
  const elsewhere = await TestClient.open(t, second, {
    providerToken: signProviderToken(narrow),
  }).push()
  assertReason(elsewhere, 400, 'TopicDisallowed')
})

test('keeps private keys from everybody else', async (t) => {
  const parent = mkdtempSync(join(tmpdir(), 'simulator-'))
  t.after(() => rmSync(parent, { recursive: true }))
  const folder = join(parent, 'state')
  const simulator = await Simulator.start({ folder, control: null })
  t.after(() => simulator.close())
  simulator.issueKey()
  for (const name of ['', 'authority.json', 'keys.json'])
    assert.equal(statSync(join(folder, name)).mode & 0o077, 0, name)
})
