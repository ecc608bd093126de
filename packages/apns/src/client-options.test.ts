import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { readUrl } from './client-options.ts'
import type { Credential } from './credentials/credential.ts'

const credential = {} as Credential

describe('readUrl', () => {
  it('leads to Apple by environment, on either of its ports', () => {
    const url = (environment: 'sandbox' | 'production', port?: 443 | 2197): string =>
      readUrl({ credential, environment, port }).href
    assert.equal(url('sandbox'), 'https://api.sandbox.push.apple.com/')
    assert.equal(url('production'), 'https://api.push.apple.com/')
    assert.equal(url('production', 2197), 'https://api.push.apple.com:2197/')
  })

  it('leads elsewhere when told so, and nowhere when told nothing', () => {
    const url = 'https://127.0.0.1:8443'
    assert.equal(readUrl({ credential, url, environment: 'sandbox' }).origin, url)
    assert.throws(() => readUrl({ credential }), TypeError)
  })
})
