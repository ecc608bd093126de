import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { ApnsdError } from '../base/errors.ts'
import { createLog } from '../base/log.ts'
import { loadConfig } from './load-config.ts'
import { readWires } from './wires.ts'

let folder = ''
before(() => {
  folder = mkdtempSync(join(tmpdir(), 'apnsd-config-'))
})
after(() => rmSync(folder, { recursive: true }))

const wires = (settings: Record<string, string>, environment: Record<string, string> = {}) =>
  readWires(loadConfig(undefined, settings, {}).apns, createLog('silent'), environment)

function refusal(settings: Record<string, string>, environment: Record<string, string> = {}) {
  try {
    wires(settings, environment)
  } catch (error) {
    assert.ok(error instanceof ApnsdError && error.code === 'invalid-configuration')
    return `${error.message} ${error.hint ?? ''}`
  }
  return assert.fail('it was taken')
}

describe('readWires', () => {
  it('leads to Apple, directly, without settings', () => {
    const { sandbox, production } = wires({})
    const direct = { ca: undefined, proxy: null, maxConnections: 16, onKeylog: undefined }
    assert.deepEqual(sandbox, { url: 'https://api.sandbox.push.apple.com', ...direct })
    assert.deepEqual(production, { url: 'https://api.push.apple.com', ...direct })
  })

  it('takes the proxy from the setting, else from the environment, by environment of Apple', () => {
    const environment = { HTTPS_PROXY: 'http://one', NO_PROXY: 'api.sandbox.push.apple.com' }
    const { sandbox, production } = wires({}, environment)
    assert.equal(sandbox.proxy, null)
    assert.equal(production.proxy?.host, 'one')
    const set = wires({ 'apns.proxy': 'socks5://two' }, environment)
    assert.deepEqual([set.sandbox.proxy?.host, set.production.proxy?.host], ['two', 'two'])
    assert.equal(wires({ 'apns.proxy': 'none' }, environment).production.proxy, null)
  })

  it('refuses a proxy that is none, says where it stands, and shows no password', () => {
    const address = 'ftp://user:secret@proxy'
    const bySetting = refusal({ 'apns.proxy': address })
    assert.match(
      bySetting,
      /^A proxy speaks http, https, socks5 or socks5h, not ftp\. .*apns\.proxy/,
    )
    const byEnvironment = refusal({}, { https_proxy: address })
    assert.match(byEnvironment, /HTTPS_PROXY/)
    assert.doesNotMatch(bySetting + byEnvironment, /secret/)
  })

  it('refuses a CA file without a certificate', () => {
    const path = join(folder, 'ca.pem')
    writeFileSync(path, 'nothing')
    assert.match(refusal({ 'apns.ca': path }), /holds no certificate/)
  })

  it('appends TLS keys to a file of its owner’s alone', () => {
    const path = join(folder, 'keys.log')
    for (const line of ['one\n', 'two\n'])
      wires({ 'apns.keylog': path }).production.onKeylog?.(Buffer.from(line))
    assert.equal(readFileSync(path, 'utf8'), 'one\ntwo\n')
    assert.equal(statSync(path).mode & 0o777, 0o600)
    assert.match(refusal({ 'apns.keylog': folder }), /cannot be written.*apns\.keylog/)
  })
})
