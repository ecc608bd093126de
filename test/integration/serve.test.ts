import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { once } from 'node:events'
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { type AddressInfo, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { after, afterEach, before, beforeEach, describe, it } from 'node:test'
import { ERRORS } from '../../packages/apnsd/src/base/errors.ts'
import { DaemonProcess } from '../../packages/apnsd/src/doors/cli/demo/daemon-process.ts'
import { ApnsdCommand, type CommandOptions, runApnsd } from '../support/apnsd-command.ts'
import { DEVICE_TOKEN, Stage, TOPIC } from '../support/stage.ts'

const CONFIGURATION_EXIT_CODE = ERRORS['invalid-configuration'].exitCode

describe('apnsd serve', () => {
  let folder = ''
  let running: ApnsdCommand[] = []
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'apnsd-test-'))
    running = []
  })
  afterEach(async () => {
    for (const command of running) await command.end('SIGKILL')
    rmSync(folder, { recursive: true, force: true })
  })

  function start(args: readonly string[] = [], options: CommandOptions = {}): ApnsdCommand {
    const command = ApnsdCommand.start(['serve', ...args], options)
    running.push(command)
    return command
  }

  /** A free port, and a folder of ours; what comes later on the command line wins. */
  const local = (name = 'data') => ['--listen', '127.0.0.1:0', '--data', join(folder, name)]

  function writeConfig(text: string): string {
    const path = join(folder, 'apnsd.yaml')
    writeFileSync(path, text)
    return path
  }

  /** Runs it where it must refuse to start: one sentence or two on standard error, and it never served. */
  async function refusal(args: readonly string[], options: CommandOptions = {}) {
    const command = start(args, options)
    const exitCode = await command.ended
    assert.doesNotMatch(command.stdout, /"msg":"ready"/)
    assert.match(command.stderr, /^apnsd: [^\n]+\n$/)
    return { exitCode, text: command.stderr }
  }

  it('takes the command line before the environment, and that before the file', async () => {
    const config = writeConfig(
      `listen: 127.0.0.1:0\ndata: ${join(folder, 'of-file')}\nlogLevel: info\n`,
    )
    const env = { APNSD_DATA: join(folder, 'of-environment') }
    const cases: [string[], Record<string, string>, string][] = [
      [['--config', config], {}, 'of-file'],
      [['--config', config], env, 'of-environment'],
      [['--config', config, '--data', join(folder, 'of-flag')], env, 'of-flag'],
    ]
    for (const [args, environment, expected] of cases) {
      const ready = await start(args, { env: environment }).ready()
      assert.equal(ready['data'], join(folder, expected))
      assert.ok(existsSync(join(folder, expected, 'apnsd.db')))
    }
  })

  it('picks a free port for port 0, and says where it serves in one line of JSON', async () => {
    const commands = [start(local('one')), start(local('two'))]
    const urls = new Set<string>()
    for (const command of commands) {
      const { level, msg, url, time } = await command.ready()
      assert.deepEqual([level, msg], ['info', 'ready'])
      assert.match(String(time), /^\d{4}-\d\d-\d\dT.*Z$/)
      assert.match(String(url), /^http:\/\/127\.0\.0\.1:[1-9]\d*$/)
      assert.deepEqual(await (await fetch(`${String(url)}/healthz`)).json(), { status: 'alive' })
      urls.add(String(url))
      const lines = command.stdout.trimEnd().split('\n')
      const messages = lines.map((line) => (JSON.parse(line) as { msg: string }).msg)
      assert.equal(messages.filter((message) => message === 'ready').length, 1)
    }
    assert.equal(urls.size, 2)
  })

  for (const signal of ['SIGTERM', 'SIGINT'] as const)
    it(`drains and exits with 0 at ${signal}, though it comes right after the ready line`, async () => {
      const command = start(local())
      const { url } = await command.ready()
      assert.equal(await command.end(signal), 0)
      assert.equal(command.stderr, '')
      assert.match(command.stdout, new RegExp(`"signal":"${signal}","msg":"draining"`))
      assert.match(command.stdout, /"msg":"stopped"\}\n$/)
      await assert.rejects(fetch(`${String(url)}/healthz`))
    })

  it('refuses a data folder that another daemon uses, naming it, and leaves that one alone', async () => {
    const first = start(local())
    const { url } = await first.ready()
    const { exitCode, text } = await refusal(local())
    assert.equal(exitCode, ERRORS['data-folder-in-use'].exitCode)
    assert.ok(text.includes(join(folder, 'data')), text)
    assert.match(text, /--data/)
    assert.equal((await fetch(`${String(url)}/healthz`)).status, 200)
    assert.equal(await first.end('SIGTERM'), 0)
    await start(local()).ready()
  })

  it('refuses an address that others can reach, before it touches the disk', async () => {
    for (const listen of ['0.0.0.0:0', '[::]:0', '192.0.2.1:0', 'example.com:0']) {
      const { exitCode, text } = await refusal([...local(), '--listen', listen])
      assert.equal(exitCode, CONFIGURATION_EXIT_CODE)
      assert.match(text, /loopback/)
      assert.match(text, /Listen on 127\.0\.0\.1/)
    }
    const { exitCode, text } = await refusal([...local(), '--listen', '7077'])
    assert.equal(exitCode, CONFIGURATION_EXIT_CODE)
    assert.match(text, /7077 is no address to listen on/)
    assert.equal(existsSync(join(folder, 'data')), false)
  })

  it('says that a port is taken, and gives the data folder back', async () => {
    const holder = createServer()
    await once(holder.listen(0, '127.0.0.1'), 'listening')
    try {
      const listen = `127.0.0.1:${(holder.address() as AddressInfo).port}`
      const { exitCode, text } = await refusal([...local(), '--listen', listen])
      assert.equal(exitCode, CONFIGURATION_EXIT_CODE)
      assert.ok(text.includes(`${listen}: something listens there already`), text)
    } finally {
      holder.close()
    }
    await start(local()).ready()
  })

  it('refuses a setting that it does not know, with the nearest that it does', async () => {
    const file = await refusal([...local(), '--config', writeConfig('apns:\n  sandbx: https://x')])
    assert.equal(file.exitCode, CONFIGURATION_EXIT_CODE)
    assert.match(file.text, /no setting apns\.sandbx .*Did you mean apns\.sandbox\?/)
    const environment = await refusal(local(), { env: { APNSD_LISTN: '127.0.0.1:0' } })
    assert.equal(environment.exitCode, CONFIGURATION_EXIT_CODE)
    assert.match(environment.text, /APNSD_LISTN .*Did you mean APNSD_LISTEN\?/)
  })

  it('refuses a file that cannot be read or is not what it should be, naming it', async () => {
    const absent = join(folder, 'absent')
    const directory = join(folder, 'directory')
    mkdirSync(directory)
    const text = join(folder, 'text.pem')
    writeFileSync(text, 'a: [1\n')
    const cases: [string, string, RegExp][] = [
      ['--config', absent, /is not there/],
      ['--config', directory, /cannot be read \(EISDIR\)/],
      ['--config', text, /cannot be read as YAML/],
      ['--apns-ca', absent, /is not there/],
      ['--apns-ca', directory, /cannot be read \(EISDIR\)/],
      ['--apns-ca', text, /holds no certificate/],
    ]
    for (const [flag, path, why] of cases) {
      const said = await refusal([...local(), flag, path])
      assert.equal(said.exitCode, CONFIGURATION_EXIT_CODE)
      assert.ok(said.text.includes(path), said.text)
      assert.match(said.text, why)
    }
  })

  it('keeps data folder and secret key from other users, and goes on with them', async () => {
    const data = join(folder, 'a', 'b')
    const command = start(local('a/b'))
    await command.ready()
    assert.equal(statSync(data).mode & 0o777, 0o700)
    const secretKey = join(data, 'secret.key')
    for (const name of readdirSync(data))
      assert.equal(statSync(join(data, name)).mode & 0o077, 0, name)
    const made = readFileSync(secretKey, 'utf8')
    await command.end('SIGTERM')
    await start(local('a/b')).ready()
    assert.equal(readFileSync(secretKey, 'utf8'), made)
  })
})

describe('secrets', () => {
  let stage: Stage
  before(async () => {
    stage = await Stage.open()
    await stage.daemon.stop()
    const config = join(stage.folder, 'apnsd.yaml')
    writeFileSync(config, 'logLevel: debug\n')
    stage.daemon = await DaemonProcess.start([
      ...['--config', config, '--listen', '127.0.0.1:0', '--data', join(stage.folder, 'data')],
      ...['--apns-sandbox', stage.simulator.url, '--apns-ca', join(stage.folder, 'ca.pem')],
    ])
  })
  after(() => stage.close())

  /** The lines of a PEM text between BEGIN and END, and the bytes that they stand for. */
  function secretParts(pem: string): Buffer[] {
    const [, body = ''] = /-----BEGIN [A-Z ]*PRIVATE KEY-----\n([^-]+)-----END/.exec(pem) ?? []
    const lines = body.trim().split('\n')
    assert.ok(lines.length >= 2)
    return [...lines.map((line) => Buffer.from(line)), Buffer.from(body, 'base64')]
  }

  it('are on the disk encrypted only, and neither they nor device tokens are in the log', async () => {
    const { pem } = stage.simulator.issueCertificate({ topic: TOPIC })
    const { key, keyId, teamId } = stage.simulator.issueKey()
    const path = stage.writePem(pem)
    await stage.call('provision', 'by-text', pem, 'sandbox', 15)
    await stage.call('provision', 'by-path', path, 'sandbox', 15)
    const put = await fetch(`${stage.daemon.url}/v1/apps/by-key`, {
      method: 'PUT',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({
        environment: 'sandbox',
        topic: TOPIC,
        credential: { type: 'token', key, keyId, teamId },
      }),
    })
    assert.equal(put.status, 200)
    const dead = 'cd'.repeat(32)
    stage.simulator.killDevice(dead)
    for (const appId of ['by-text', 'by-path', 'by-key'])
      await stage.call('notify', appId, [DEVICE_TOKEN, dead], { aps: { alert: 'hush-hush' } })
    for (const { apnsId } of await stage.simulator.waitForAnswers(6)) await stage.outcome(apnsId)
    // read while it runs, so that the write-ahead log is there as well
    const data = join(stage.folder, 'data')
    const files = readdirSync(data)
    assert.ok(files.includes('apnsd.db') && files.includes('apnsd.db-wal'), String(files))
    for (const file of files) {
      const bytes = readFileSync(join(data, file))
      assert.equal(bytes.includes('PRIVATE KEY'), false, file)
      for (const part of [...secretParts(pem), ...secretParts(key)])
        assert.equal(bytes.includes(part), false, file)
    }
    assert.equal(await stage.daemon.stop(), 0)
    const log = JSON.stringify(stage.daemon.log) + stage.daemon.errors
    assert.match(log, /"app":"by-key"/)
    for (const secret of [DEVICE_TOKEN, dead, 'hush-hush', 'PRIVATE KEY'])
      assert.equal(log.includes(secret), false, secret)
    for (const part of [...secretParts(pem), ...secretParts(key)])
      assert.equal(log.includes(part.toString('latin1')), false)
  })
})

describe('apnsd', () => {
  it('explains itself and its commands, and says its version', async () => {
    const help = await runApnsd(['--help'])
    assert.deepEqual([help.exitCode, help.stderr], [0, ''])
    for (const command of ['serve', 'simulate', 'demo'])
      assert.match(help.stdout, new RegExp(`^ +${command} `, 'm'))
    const serve = await runApnsd(['serve', '--help'])
    assert.deepEqual([serve.exitCode, serve.stderr], [0, ''])
    for (const option of ['config', 'listen', 'data', 'apns-ca', 'simulator'])
      assert.match(serve.stdout, new RegExp(`^ +--${option} `, 'm'))
    const version = await runApnsd(['--version'])
    const manifest = new URL('../../packages/apnsd/package.json', import.meta.url)
    const expected = (JSON.parse(readFileSync(manifest, 'utf8')) as { version: string }).version
    assert.deepEqual(version, { exitCode: 0, stdout: `${expected}\n`, stderr: '' })
  })

  it('refuses a command or an option that it does not know, by name', async () => {
    for (const [args, name] of [
      [['serv'], 'serv'],
      [['serve', '--lisen', 'x'], '--lisen'],
    ] as const) {
      const { exitCode, stdout, stderr } = await runApnsd(args)
      assert.equal(exitCode, ERRORS['invalid-argument'].exitCode)
      assert.equal(stdout, '')
      assert.match(stderr, new RegExp(`^error: unknown \\w+ '${name}'`))
    }
  })

  /** Runs it with a Node that is too old for it. */
  async function saysTooOld(version: string, options: CommandOptions): Promise<void> {
    const { exitCode, stdout, stderr } = await runApnsd(['--version'], options)
    assert.notEqual(exitCode, 0)
    assert.equal(stdout, '')
    assert.match(stderr, /^apnsd needs Node 24 or newer [^\n]+\.\n$/)
    assert.ok(stderr.includes(`this is Node ${version};`), stderr)
  }

  it('says in one sentence that Node is too old', async () => {
    const version = '22.17.0'
    const script = `
      const versions = { ...process.versions, node: '${version}' }
      Object.defineProperty(process, 'versions', { value: versions })
      Object.defineProperty(process, 'version', { value: 'v${version}' })`
    const url = `data:text/javascript,${encodeURIComponent(script)}`
    await saysTooOld(version, { nodeOptions: ['--import', url] })
  })

  // no skip where there is none: it is not something that a machine should have
  const older = findOlderNode()
  if (older !== undefined)
    it('says so with the older Node that this machine has', () =>
      saysTooOld(older.version, { node: older.path }))
})

/** Finds a Node before 24 where a person's shell would, past the one that npm installed for us. */
function findOlderNode(): { path: string; version: string } | undefined {
  const folders = (process.env['PATH'] ?? '').split(delimiter).concat('/usr/local/bin', '/usr/bin')
  for (const folder of folders.filter((name) => !name.includes('node_modules'))) {
    const path = join(folder, 'node')
    if (!existsSync(path)) continue
    const { stdout } = spawnSync(path, ['--version'], { encoding: 'utf8' })
    const [, version, major] = /^v((\d+)\.\d+\.\d+)/.exec(stdout) ?? []
    if (version !== undefined && Number(major) < 24) return { path, version }
  }
  return undefined
}
