import assert from 'node:assert/strict'
import { cpSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { runApnsd } from '../support/apnsd-command.ts'
import { DEVICE_TOKEN, Stage } from '../support/stage.ts'

describe('apnsd keys rotate-secret', () => {
  let stage: Stage
  before(async () => {
    stage = await Stage.open()
    await stage.provision()
  })
  after(() => stage.close())

  const data = () => join(stage.folder, 'data')
  const keyFile = () => readFileSync(join(data(), 'secret.key'), 'utf8').trim()
  const rotate = (args: readonly string[] = [], env: Record<string, string> = {}) =>
    runApnsd(['keys', 'rotate-secret', '--data', data(), ...args], { env })
  const newKey = 'cd'.repeat(32)

  /** Starts the daemon and sends: the app's credential is to be had. */
  async function delivers(): Promise<void> {
    stage.simulator.clearNotifications()
    await stage.startDaemon()
    await stage.call('notify', 'myapp', DEVICE_TOKEN, { aps: { alert: 'hi' } })
    await stage.settled(1)
    assert.equal(await stage.daemon.stop(), 0)
  }

  it('leaves a folder alone that a daemon uses', async () => {
    const key = keyFile()
    const { exitCode, stderr } = await rotate()
    assert.deepEqual([exitCode, keyFile()], [7, key])
    assert.match(stderr, /^apnsd: Another apnsd uses the data folder .* Stop that one/)
    await stage.daemon.stop()
  })

  it('gives a folder a new key, with which the daemon starts and sends', async () => {
    const key = keyFile()
    const { exitCode, stdout, stderr } = await rotate()
    assert.deepEqual([exitCode, stderr], [0, ''])
    assert.match(
      stdout,
      /^Sealed 1 credential in .* with the new key\. Start the daemon as before\.\n$/,
    )
    assert.notEqual(keyFile(), key)
    await delivers()
  })

  it('a daemon with the wrong key ends before it serves, and says the way out', async () => {
    const right = keyFile()
    const serve = () => runApnsd(['serve', '--listen', '127.0.0.1:0', '--data', data()])
    writeFileSync(join(data(), 'secret.key'), `${newKey}\n`)
    const wrong = await serve()
    assert.deepEqual([wrong.exitCode, wrong.stdout], [2, ''])
    assert.match(
      wrong.stderr,
      /^apnsd: The credentials in .* another secret key than .* Put the file back/,
    )
    rmSync(join(data(), 'secret.key'))
    assert.match((await serve()).stderr, /secret\.key is not there\. Put the file back/)
    writeFileSync(join(data(), 'secret.key'), `${right}\n`, { mode: 0o600 })
    await delivers()
  })

  it('takes a configured key’s successor from a file, and says where it has to go', async () => {
    const copy = join(stage.folder, 'copy')
    cpSync(data(), copy, { recursive: true })
    const env = { APNSD_SECRET_KEY: keyFile() }
    const asked = await runApnsd(['keys', 'rotate-secret', '--data', copy], { env })
    assert.equal(asked.exitCode, 2)
    assert.match(asked.stderr, /has to come from you\. Make it: .*--new-key-file/)
    const file = join(stage.folder, 'new.key')
    writeFileSync(file, newKey, { mode: 0o600 })
    const args = ['keys', 'rotate-secret', '--data', copy, '--new-key-file', file]
    const { exitCode, stdout } = await runApnsd(args, { env })
    assert.equal(exitCode, 0)
    assert.match(
      stdout,
      /^Sealed 1 credential.* Now put the key of .*new\.key where the old one is/,
    )
    const again = await runApnsd(args, { env })
    assert.match(again.stdout, /^No credential in .* had to be sealed anew\. Now put the key/)
    const serve = ['serve', '--listen', '127.0.0.1:0', '--data', copy]
    const old = await runApnsd(serve, { env })
    assert.equal(old.exitCode, 2)
    assert.match(old.stderr, /than the configured one\. .*rotate-secret that is the new one/)
  })

  it('refuses a folder that is none of apnsd’s', async () => {
    const { exitCode, stderr } = await runApnsd([
      ...['keys', 'rotate-secret', '--data', join(stage.folder, 'nowhere')],
    ])
    assert.equal(exitCode, 2)
    assert.match(stderr, /nowhere is no data folder of apnsd\. Name it with --data/)
  })
})
