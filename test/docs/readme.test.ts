import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, beforeEach, describe, it } from 'node:test'
import { fileURLToPath } from 'node:url'
import { runScript } from '../support/script.ts'
import { Stage, TOPIC } from '../support/stage.ts'
import { missing } from '../support/system-parts.ts'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))

/** The blocks of one language in a document, in order. */
function blocksOf(document: string, language: string): string[] {
  const text = readFileSync(join(ROOT, document), 'utf8')
  return [...text.matchAll(/^```(\w+)\n(.*?)^```$/gms)]
    .filter(([, name]) => name === language)
    .map(([, , block = '']) => block)
}

/** The one block of the README that holds `words`. */
function blockWith(language: string, words: string): string {
  const found = blocksOf('README.md', language).filter((block) => block.includes(words))
  assert.equal(found.length, 1, `${language} with ${words}`)
  return found[0] ?? ''
}

describe('the README’s first push', () => {
  let stage: Stage
  before(async () => {
    stage = await Stage.open()
    stage.writePem(stage.simulator.issueCertificate({ topic: TOPIC }).pem, 'myapp.pem')
    const { key } = stage.simulator.issueKey({ keyId: 'ABC123DEFG', teamId: 'DEF123GHIJ' })
    stage.writePem(key, 'AuthKey_ABC123DEFG.p8')
  })
  after(() => stage.close())
  beforeEach(() => stage.simulator.clearNotifications())

  /** A snippet as a person would have filled it in. */
  const fillIn = (snippet: string): string =>
    snippet
      .replaceAll('http://localhost:7077', stage.daemon.url)
      .replaceAll('/path/to/', `${stage.folder}/`)

  const arrives = async (): Promise<Record<string, string>> => {
    const [taken] = await stage.settled(1)
    assert.deepEqual(taken?.payload, { aps: { alert: 'Hello' } })
    assert.equal(taken.headers['apns-topic'], TOPIC)
    return taken.headers
  }

  it('works from Python, each time', { skip: missing('python3') }, async () => {
    const pushes = blocksOf('README.md', 'python').filter((block) => block.includes('notify'))
    assert.equal(pushes.length, 2)
    for (const push of pushes) {
      stage.simulator.clearNotifications()
      await runScript('python3', ['-c', fillIn(push)])
      await arrives()
    }
  })

  it('works from Ruby', { skip: missing('ruby') }, async () => {
    await runScript('ruby', ['-e', fillIn(blockWith('ruby', 'notify'))])
    await arrives()
  })

  it('works with a signing key', { skip: missing('curl') || missing('python3') }, async () => {
    await runScript('sh', ['-c', fillIn(blockWith('sh', 'PUT'))])
    const [, push] = blocksOf('README.md', 'python')
    const onlyNotify = fillIn(push ?? '').replace(/^apns\.provision.*\n/m, '')
    await runScript('python3', ['-c', onlyNotify])
    assert.match((await arrives())['authorization'] ?? '', /^bearer /)
  })

  it('makes a PEM file of what Keychain exports', { skip: missing('openssl') }, async () => {
    const at = (name: string) => join(stage.folder, name)
    await runScript('sh', [
      '-c',
      `openssl pkcs12 -export -legacy -in ${at('myapp.pem')} -passout pass:secret -out ${at('myapp.p12')}`,
    ])
    const command = blockWith('sh', 'pkcs12')
      .replace('openssl pkcs12', 'openssl pkcs12 -passin pass:secret')
      .replace('myapp.p12', at('myapp.p12'))
      .replace('myapp.pem', at('converted.pem'))
    await runScript('sh', ['-c', command])
    await stage.call('provision', 'converted', at('converted.pem'), 'sandbox', 15)
    await stage.call('notify', 'converted', 'cd'.repeat(32), { aps: { alert: 'Hello' } })
    await arrives()
  })

  it('asks for feedback and lists the apps', {
    skip: missing('curl') || missing('python3'),
  }, async () => {
    await stage.provision()
    const feedback = fillIn(blockWith('python', 'feedback'))
    const connect = `import xmlrpc.client\napns = xmlrpc.client.ServerProxy('${stage.daemon.url}')\n`
    assert.equal((await runScript('python3', ['-c', connect + feedback])).trim(), '[]')
    const apps = await runScript('sh', ['-c', fillIn(blockWith('sh', '/v1/apps\n'))])
    assert.match(apps, /"myapp"/)
    assert.doesNotMatch(apps, /PRIVATE KEY/)
  })
})

describe('the packages’ READMEs', () => {
  let stage: Stage
  before(async () => {
    stage = await Stage.open()
  })
  after(() => stage.close())

  /** Runs TypeScript in a process of its own that trusts the simulator, from a folder that finds our packages. */
  const run = async (source: string): Promise<string> => {
    const file = join(stage.folder, 'snippet.ts')
    const imports = source.replaceAll(
      /from '@apnsd\/(\w+)'/g,
      (_, name: string) => `from '${ROOT}packages/${name}/src/index.ts'`,
    )
    writeFileSync(file, imports)
    return runScript(process.execPath, [file])
  }

  it('@apnsd/apns: sends', async () => {
    const [snippet = ''] = blocksOf('packages/apns/README.md', 'ts')
    const { key, keyId, teamId } = stage.simulator.issueKey()
    const ca = JSON.stringify(stage.simulator.authority.certificatePem)
    const filledIn = snippet
      .replace('https://api.sandbox.push.apple.com', stage.simulator.url)
      .replace('p8Text', JSON.stringify(key))
      .replace('ABC123DEFG', keyId)
      .replace('DEF123GHIJ', teamId)
      .replace('new ApnsClient({', `new ApnsClient({ ca: [${ca}],`)
    assert.equal(await run(filledIn), '')
    const [taken] = await stage.simulator.waitForNotifications(1)
    assert.deepEqual(taken?.payload, { aps: { alert: 'Hello' } })
  })

  it('@apnsd/simulator: takes a push and shows it', async () => {
    const [snippet = ''] = blocksOf('packages/simulator/README.md', 'ts')
    const push = `
      const client = new ApnsClient({
        url: simulator.url,
        ca: [simulator.authority.certificatePem],
        credential: readSigningKey(key, keyId, teamId),
      })
      await client.send({
        deviceToken: 'ab'.repeat(32), topic: 'com.example.app', pushType: 'alert',
        payload: '{"aps":{"alert":"Hello"}}',
      })
      await client.close()`
    const filledIn = `import { ApnsClient, readSigningKey } from '@apnsd/apns'\n${snippet}`
      .replace(/^\/\/ … push to .*$/m, push)
      .replace(/^(notification\?\..*?) \/\/.*$/m, 'console.log($1, pem.length > 0)')
    assert.equal(await run(filledIn), 'com.example.app true\n')
  })
})
