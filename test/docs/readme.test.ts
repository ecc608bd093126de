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

  /** What the snippets of @apnsd/apns take for granted. */
  function apnsPreamble(): string {
    const { key, keyId, teamId } = stage.simulator.issueKey({
      keyId: 'ABC123DEFG',
      teamId: 'DEF123GHIJ',
    })
    stage.writePem(key, 'AuthKey_ABC123DEFG.p8')
    assert.deepEqual([keyId, teamId], ['ABC123DEFG', 'DEF123GHIJ'])
    return `
      import { randomUUID } from 'node:crypto'
      import { readFileSync } from 'node:fs'
      import { ApnsClient, readSigningKey } from '@apnsd/apns'
      process.chdir(${JSON.stringify(stage.folder)})
      const p8Text = readFileSync('AuthKey_ABC123DEFG.p8', 'utf8')
      const deviceTokens = ['ab'.repeat(32), 'cd'.repeat(32)]\n`
  }
  const toSimulator = (snippet: string): string =>
    snippet
      .replace(/^import .*'@apnsd\/apns'$/m, '')
      .replace(
        /environment: 'sandbox',/,
        `url: '${stage.simulator.url}', ca: [${JSON.stringify(stage.simulator.authority.certificatePem)}],`,
      )

  it('@apnsd/apns: sends', async () => {
    const [snippet = ''] = blocksOf('packages/apns/README.md', 'ts')
    assert.equal(await run(apnsPreamble() + toSimulator(snippet)), '')
    const [taken] = await stage.simulator.waitForNotifications(1)
    assert.deepEqual(taken?.payload, { aps: { alert: 'Hello' } })
  })

  it('@apnsd/apns: sends many', async () => {
    const [first = '', ...many] = blocksOf('packages/apns/README.md', 'ts')
    assert.equal(many.length, 2)
    for (const [index, snippet] of many.entries()) {
      stage.simulator.clearNotifications()
      const [connect = ''] = toSimulator(first).split('const answer')
      const payload = index === 0 ? '{ aps: {} }' : `'{"aps":{}}'`
      const source = `${apnsPreamble()}${connect}
        const notification = { topic: 'com.example.app', pushType: 'alert', payload: ${payload} }
        let noted = 0
        const note = () => { noted += 1; if (noted === 2) client.close() }
        ${snippet}`
      assert.equal(await run(source), '')
      assert.equal(stage.simulator.notifications().length, 2)
    }
  })

  it('@apnsd/apns: moving from node-apn, the same arrives before and after', async () => {
    const page = readFileSync(join(ROOT, 'packages/apns/from-node-apn.md'), 'utf8')
    const blocksMarked = (mark: string): string =>
      [...page.matchAll(/^```\w+ (\w+)\n(.*?)^```$/gms)]
        .filter(([, name]) => name === mark)
        .map(([, , block]) => block)
        .join('\n')
    const { port } = new URL(stage.simulator.url)
    const ca = JSON.stringify(stage.simulator.authority.certificatePem)
    const beforehand = `import apn from '${ROOT}node_modules/@parse/node-apn/index.js'\n${blocksMarked('before')}
      provider.shutdown()
      if (sent.length !== 1) console.log(failed)`
    const afterwards = `${blocksMarked('after')}
      await client.close()
      if (!answers.every(({ value }) => value.type === 'accepted')) console.log(answers)`
    const arrived: unknown[] = []
    for (const source of [
      beforehand.replace('production: false,', `address: '127.0.0.1', port: ${port}, ca: [${ca}],`),
      toSimulator(afterwards),
    ]) {
      stage.simulator.clearNotifications()
      // one device token: of two, node-apn loses one to a server that allows one request at first, as Apple does
      const one = apnsPreamble().replace(", 'cd'.repeat(32)", '')
      assert.equal(await run(one + source), '')
      const taken = stage.simulator.notifications()
      const headersOf = (headers: Record<string, string>) =>
        Object.entries(headers)
          .filter(([name]) => /^apns-(?!id)/.test(name))
          .map(([name, value]) => `${name}: ${value}`)
          .toSorted((a, b) => a.localeCompare(b))
      arrived.push(
        taken.map(({ deviceToken, payload, headers }) => [
          deviceToken,
          payload,
          headersOf(headers),
        ]),
      )
    }
    assert.deepEqual(arrived[0], arrived[1])
    assert.equal((arrived[0] as unknown[]).length, 1)
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
