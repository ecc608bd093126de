import assert from 'node:assert/strict'
import { mkdirSync, renameSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import type { CertificateOptions } from '@apnsd/simulator'
import type { LogLine } from '../../packages/apnsd/src/doors/cli/demo/daemon-process.ts'
import { Stage } from '../support/stage.ts'

const TOPIC = 'com.example.watched'
const DAY_MS = 86_400_000
const payload = { aps: { alert: 'hi' } }

interface AppView {
  readonly credential: {
    readonly fingerprint: string
    readonly file?: string
    readonly expiresAt: string
  }
  readonly warnings: readonly { readonly code: string; readonly detail: string }[]
}

describe('a credential file', () => {
  let stage: Stage
  before(async () => {
    stage = await Stage.open()
  })
  after(() => stage.close())

  const issue = (options: Partial<CertificateOptions> = {}) =>
    stage.simulator.issueCertificate({ topic: TOPIC, ...options }).pem

  /** Puts another file in the place of one, as a renewal does. */
  function replace(name: string, text: string): string {
    stage.writePem(text, `${name}.new`)
    renameSync(join(stage.folder, `${name}.new`), join(stage.folder, name))
    return join(stage.folder, name)
  }

  async function show(appId: string): Promise<AppView> {
    const response = await fetch(`${stage.daemon.url}/v1/apps/${appId}`)
    return (await response.json()) as AppView
  }

  const provision = (appId: string, certificate: string, environment = 'sandbox') =>
    stage.call('provision', appId, certificate, environment, 15)

  /** Notifies once, and gives the connection that it went over. */
  async function connectionOf(appId: string): Promise<unknown> {
    stage.simulator.clearNotifications()
    await stage.call('notify', appId, '0e'.repeat(32), payload)
    const [taken] = await stage.settled(1)
    return taken?.connection
  }

  /** Waits until the daemon has taken a credential from a file up, for the n-th time. */
  const renewed = (appId: string, nth = 1): Promise<LogLine> => {
    let seen = 0
    return stage.daemon.waitForLog((line) => {
      const { msg, app, changed } = line
      if (msg === 'provisioned' && app === appId && changed === true) seen += 1
      return seen === nth
    })
  }

  const complaint = (appId: string, words: RegExp): Promise<LogLine> =>
    stage.daemon.waitForLog(
      ({ level, app, problem }) => level === 'warn' && app === appId && words.test(String(problem)),
    )

  it('is shown, and when it is renewed its certificate is used at once, without a call', async () => {
    const path = replace('a.pem', issue())
    await provision('a', path)
    const old = await show('a')
    assert.equal(old.credential.file, path)
    assert.deepEqual(old.warnings, [])
    const oldConnection = await connectionOf('a')
    replace('a.pem', issue())
    await renewed('a')
    assert.notEqual((await show('a')).credential.fingerprint, old.credential.fingerprint)
    assert.notEqual(await connectionOf('a'), oldConnection)
  })

  it('may be a link into a folder that is switched, as Kubernetes does', async () => {
    const put = (version: string) => {
      const folder = join(stage.folder, 'secret')
      mkdirSync(join(folder, `..${version}`), { recursive: true })
      writeFileSync(join(folder, `..${version}`, 'tls.pem'), issue())
      symlinkSync(`..${version}`, join(folder, '..data_tmp'))
      renameSync(join(folder, '..data_tmp'), join(folder, '..data'))
    }
    put('v1')
    const path = join(stage.folder, 'secret', 'tls.pem')
    symlinkSync(join('..data', 'tls.pem'), path)
    await provision('kubernetes', path)
    put('v2')
    await renewed('kubernetes')
    put('v3')
    await renewed('kubernetes', 2)
  })

  it('that cannot be used is left alone, and REST and the log say why', async () => {
    const good = issue({ environments: ['sandbox'] })
    const path = replace('strict.pem', good)
    await provision('strict', path)
    const { credential } = await show('strict')
    for (const [text, words] of [
      [good.slice(0, good.length / 2), /./],
      [
        issue({ topic: 'com.example.another' }),
        /is for com\.example\.another.*, not for com\.example\.watched/,
      ],
      [issue({ environments: ['production'] }), /is for production, not for sandbox/],
      [
        issue({
          notBefore: new Date(Date.now() - 2 * DAY_MS),
          notAfter: new Date(Date.now() - DAY_MS),
        }),
        /expired on/,
      ],
    ] as const) {
      replace('strict.pem', text)
      await complaint('strict', words)
      const shown = await show('strict')
      assert.deepEqual(shown.credential, credential)
      assert.deepEqual(
        shown.warnings.map(({ code }) => code),
        ['credential-file-unusable'],
      )
      assert.match(shown.warnings[0]?.detail ?? '', words)
    }
    assert.equal(JSON.stringify(stage.daemon.log).includes('BEGIN'), false)
    await connectionOf('strict')
    replace('strict.pem', issue({ environments: ['sandbox'] }))
    await renewed('strict')
    assert.deepEqual((await show('strict')).warnings, [])
  })

  it('counts no more once the certificate has come with the call', async () => {
    const pem = issue()
    await provision('left', replace('left.pem', pem))
    // the same certificate: nothing else changes, but where it came from does
    await provision('left', pem)
    const { credential } = await show('left')
    assert.equal(credential.file, undefined)
    await provision('witness', replace('witness.pem', issue()))
    replace('left.pem', issue())
    replace('witness.pem', issue())
    // of the same folder: whoever sees the one has seen the other
    await renewed('witness')
    assert.equal((await show('left')).credential.fingerprint, credential.fingerprint)
  })

  it('that was renewed while the daemon was down is taken up when it starts', async () => {
    const path = replace('down.pem', issue())
    await provision('down', path)
    const { credential } = await show('down')
    assert.equal(await stage.daemon.stop(), 0)
    replace('down.pem', issue())
    await stage.startDaemon()
    await renewed('down')
    const shown = await show('down')
    assert.notEqual(shown.credential.fingerprint, credential.fingerprint)
    assert.equal(shown.credential.file, path)
    replace('down.pem', issue())
    await renewed('down', 2)
  })

  it('is told of in time before its certificate ends, in REST and in the log, again after a restart', async () => {
    const path = replace('ending.pem', issue({ notAfter: new Date(Date.now() + 6.5 * DAY_MS) }))
    await provision('ending', path)
    const { credential, warnings } = await show('ending')
    assert.ok(Date.parse(credential.expiresAt) > Date.now())
    assert.equal(warnings[0]?.code, 'certificate-expires')
    assert.match(warnings[0].detail, /, 6 days from now\. .* put it into .*ending\.pem\.$/)
    const listed = await fetch(`${stage.daemon.url}/v1/apps`)
    const { apps } = (await listed.json()) as { apps: (AppView & { app: string })[] }
    assert.deepEqual(apps.find(({ app }) => app === 'ending')?.warnings, warnings)
    const isWarning = ({ level, app, code }: LogLine) =>
      level === 'warn' && app === 'ending' && code === 'certificate-expires'
    await stage.daemon.waitForLog(isWarning)
    assert.equal(await stage.daemon.stop(), 0)
    await stage.startDaemon()
    await stage.daemon.waitForLog(isWarning)
    replace('ending.pem', issue())
    await renewed('ending')
    assert.deepEqual((await show('ending')).warnings, [])
    assert.equal(stage.daemon.log.filter(isWarning).length, 1)
  })
})

describe('credentials.watch: false', () => {
  it('leaves files alone', async (t) => {
    const stage = await Stage.open()
    t.after(() => stage.close())
    const path = stage.writePem(stage.simulator.issueCertificate({ topic: TOPIC }).pem)
    await stage.call('provision', 'a', path, 'sandbox', 15)
    await stage.daemon.stop()
    writeFileSync(path, stage.simulator.issueCertificate({ topic: TOPIC }).pem)
    const config = join(stage.folder, 'apnsd.yaml')
    writeFileSync(config, 'credentials:\n  watch: false\n')
    await stage.startDaemon(stage.simulator.url, { options: ['--config', config] })
    writeFileSync(path, stage.simulator.issueCertificate({ topic: TOPIC }).pem)
    await stage.call('notify', 'a', '0e'.repeat(32), payload)
    await stage.settled(1)
    assert.equal(await stage.daemon.stop(), 0)
    assert.deepEqual(
      stage.daemon.log.filter(({ msg }) => msg === 'provisioned'),
      [],
    )
  })
})
