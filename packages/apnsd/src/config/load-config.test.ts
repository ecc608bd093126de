import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { ApnsdError } from '../base/errors.ts'
import { loadConfig } from './load-config.ts'
import { listSettings } from './schema.ts'

let folder = ''
before(() => {
  folder = mkdtempSync(join(tmpdir(), 'apnsd-config-'))
})
after(() => rmSync(folder, { recursive: true }))

function fileOf(text: string): string {
  const path = join(folder, 'apnsd.yaml')
  writeFileSync(path, text)
  return path
}

const refusal = (file: string | undefined, environment: Record<string, string>): string => {
  try {
    loadConfig(file, {}, environment)
  } catch (error) {
    assert.ok(error instanceof ApnsdError && error.code === 'invalid-configuration')
    return `${error.message} ${error.hint ?? ''}`
  }
  return assert.fail('it was taken')
}

describe('loadConfig', () => {
  it('has a default for everything', () => {
    const config = loadConfig(undefined, {}, { XDG_STATE_HOME: '/state' })
    assert.equal(config.listen, '127.0.0.1:7077')
    assert.equal(config.data, '/state/apnsd')
    assert.equal(config.apns.production, 'https://api.push.apple.com')
    assert.equal(config.simulator, false)
  })

  it('takes the command line before the environment, that before the file, that before the defaults', () => {
    const file = fileOf(
      'listen: 127.0.0.1:1\ndata: /from/file\ndrainSeconds: 3\napns:\n  sandbox: https://file\n',
    )
    const environment = {
      APNSD_LISTEN: '127.0.0.1:2',
      APNSD_DATA: '/from/environment',
      APNSD_SIMULATOR: 'true',
    }
    const config = loadConfig(file, { listen: '127.0.0.1:3' }, environment)
    assert.equal(config.listen, '127.0.0.1:3')
    assert.equal(config.data, '/from/environment')
    assert.equal(config.drainSeconds, 3)
    assert.equal(config.apns.sandbox, 'https://file')
    assert.equal(config.simulator, true)
  })

  it('refuses a name it does not know, with the nearest that it does', () => {
    assert.match(
      refusal(fileOf('lisen: 127.0.0.1:1'), {}),
      /no setting lisen .*Did you mean listen\?/,
    )
    assert.match(
      refusal(fileOf('apns:\n  sandbx: https://x'), {}),
      /apns.sandbx .*Did you mean apns.sandbox\?/,
    )
    assert.match(
      refusal(undefined, { APNSD_LISTN: 'x' }),
      /APNSD_LISTN .*Did you mean APNSD_LISTEN\?/,
    )
  })

  it('leaves the variables of client commands alone', () => {
    loadConfig(undefined, {}, { APNSD_URL: 'http://127.0.0.1:7077', APNSD_KEY: 'k', PATH: '/bin' })
  })

  it('refuses a value that does not fit, naming the setting', () => {
    assert.match(refusal(fileOf('drainSeconds: soon'), {}), /drainSeconds/)
    assert.match(refusal(fileOf('apns:\n  sandbox: http://plain'), {}), /apns.sandbox/)
    assert.match(refusal(undefined, { APNSD_DRAIN_SECONDS: 'soon' }), /APNSD_DRAIN_SECONDS.*number/)
    assert.match(refusal(undefined, { APNSD_LOG_LEVEL: 'loud' }), /logLevel/)
  })

  it('refuses a file that is not there or no YAML', () => {
    assert.match(refusal(join(folder, 'absent.yaml'), {}), /is not there/)
    assert.match(refusal(fileOf('a: [1'), {}), /cannot be read as YAML/)
  })

  it('finds data folder and secret key where the service manager put them', () => {
    writeFileSync(join(folder, 'apnsd-secret-key'), 'ab'.repeat(32))
    const environment = { STATE_DIRECTORY: '/var/lib/apnsd:/other', CREDENTIALS_DIRECTORY: folder }
    const config = loadConfig(undefined, {}, environment)
    assert.equal(config.data, '/var/lib/apnsd')
    assert.equal(config.secretKey, 'ab'.repeat(32))
  })
})

describe('listSettings', () => {
  it('names each setting and its variable once', () => {
    const settings = listSettings()
    assert.equal(new Set(settings.map(({ variable }) => variable)).size, settings.length)
    assert.ok(settings.some(({ variable }) => variable === 'APNSD_APNS_SANDBOX'))
    for (const { description } of settings) assert.notEqual(description, '')
  })
})
