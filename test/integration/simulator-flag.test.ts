import assert from 'node:assert/strict'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { type AddressInfo, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, it } from 'node:test'
import type { Notification } from '@apnsd/simulator'
import { ERRORS } from '../../packages/apnsd/src/base/errors.ts'
import { call, waitForOutcome } from '../../packages/apnsd/src/doors/cli/demo/daemon-client.ts'
import { DaemonProcess } from '../../packages/apnsd/src/doors/cli/demo/daemon-process.ts'
import { ApnsdCommand, runApnsd } from '../support/apnsd-command.ts'
import { DEVICE_TOKEN, TOPIC } from '../support/stage.ts'

const FREE_PORTS = ['--listen', '127.0.0.1:0', '--control', '127.0.0.1:0']

/** Asks a control server for JSON; posts where there is something to post. */
async function ask(url: unknown, path: string, body?: unknown): Promise<unknown> {
  const posting = body === undefined ? {} : { method: 'POST', body: JSON.stringify(body) }
  const response = await fetch(`${String(url)}${path}`, posting)
  assert.ok(response.ok, `${path}: ${response.status}`)
  return response.json()
}

/** Asks the stand-in until it has answered something, and checks that it took it. */
async function firstTaken(control: unknown): Promise<Notification> {
  for (;;) {
    const [answered] = (await ask(control, '/notifications?answers=all')) as Notification[]
    if (answered === undefined) continue
    assert.equal(answered.status, 200, answered.reason ?? '')
    return answered
  }
}

describe('apnsd serve --simulator', () => {
  let folder = ''
  let daemon: DaemonProcess | undefined
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'apnsd-test-'))
  })
  afterEach(async () => {
    await daemon?.kill()
    rmSync(folder, { recursive: true, force: true })
  })

  async function start(): Promise<{ daemon: DaemonProcess; control: unknown }> {
    daemon = await DaemonProcess.start([
      ...['--listen', '127.0.0.1:0', '--data', join(folder, 'data'), '--simulator'],
    ])
    const ready = daemon.log.find(({ msg }) => msg === 'ready')
    assert.match(String(ready?.['simulator']), /^https:\/\/127\.0\.0\.1:\d+$/)
    assert.match(String(ready?.['control']), /^http:\/\/127\.0\.0\.1:\d+$/)
    return { daemon, control: ready?.['control'] }
  }

  it('needs nothing else to try it out: a certificate, a call, and it is there', async () => {
    const { daemon: serving, control } = await start()
    const { pem } = (await ask(control, '/certificates', { topic: TOPIC })) as { pem: string }
    await call(serving.url, 'provision', ['myapp', pem, 'sandbox', 15])
    await call(serving.url, 'notify', ['myapp', DEVICE_TOKEN, { aps: { alert: 'hello' } }])
    const taken = await firstTaken(control)
    assert.equal(taken.deviceToken, DEVICE_TOKEN)
    assert.equal(taken.headers['apns-topic'], TOPIC)
    assert.deepEqual(taken.payload, { aps: { alert: 'hello' } })
    assert.equal((await waitForOutcome(serving.url, taken.apnsId)).state, 'accepted')
  })

  it('is the same Apple after a restart: certificates and signing keys stay good', async () => {
    const first = await start()
    const { pem } = (await ask(first.control, '/certificates', { topic: TOPIC })) as { pem: string }
    await call(first.daemon.url, 'provision', ['by-certificate', pem, 'sandbox', 15])
    const { key, keyId, teamId } = (await ask(first.control, '/keys', {})) as Record<string, string>
    const put = await fetch(`${first.daemon.url}/v1/apps/by-key`, {
      method: 'PUT',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({
        environment: 'production',
        topic: TOPIC,
        credential: { type: 'token', key, keyId, teamId },
      }),
    })
    assert.equal(put.status, 200)
    await call(first.daemon.url, 'notify', ['by-certificate', DEVICE_TOKEN, { aps: { badge: 1 } }])
    await firstTaken(first.control)
    assert.equal(await first.daemon.stop(), 0)
    for (const [appId, badge] of [
      ['by-certificate', 2],
      ['by-key', 3],
    ] as const) {
      const { daemon: serving, control } = await start()
      await call(serving.url, 'notify', [appId, DEVICE_TOKEN, { aps: { badge } }])
      const taken = await firstTaken(control)
      assert.deepEqual(taken.payload, { aps: { badge } })
      assert.equal(await serving.stop(), 0)
    }
  })
})

describe('apnsd simulate', () => {
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

  function start(...args: string[]): ApnsdCommand {
    const command = ApnsdCommand.start(['simulate', ...FREE_PORTS, ...args])
    running.push(command)
    return command
  }

  for (const signal of ['SIGTERM', 'SIGINT'] as const)
    it(`says where it serves, serves, and exits with 0 at ${signal}`, async () => {
      const simulating = start()
      const { url, control, ca } = await simulating.ready()
      assert.match(String(url), /^https:\/\/127\.0\.0\.1:[1-9]\d*$/)
      assert.deepEqual(await ask(control, '/notifications'), [])
      assert.match(await (await fetch(String(ca))).text(), /^-----BEGIN CERTIFICATE-----/)
      assert.equal(await simulating.end(signal), 0)
      assert.equal(simulating.stderr, '')
      assert.equal(simulating.stdout.trimEnd().split('\n').length, 1)
    })

  it('keeps its authority in the folder that it is given', async () => {
    const authorities = new Set<string>()
    for (let round = 0; round < 2; round += 1) {
      const simulating = start('--data', join(folder, 'apple'))
      const { ca } = await simulating.ready()
      authorities.add(await (await fetch(String(ca))).text())
      assert.equal(await simulating.end('SIGTERM'), 0)
    }
    assert.equal(authorities.size, 1)
  })

  it('is where apnsd serve can be told to send', async () => {
    const { url, control, ca } = await start().ready()
    const caFile = join(folder, 'ca.pem')
    writeFileSync(caFile, await (await fetch(String(ca))).text())
    const daemon = await DaemonProcess.start([
      ...['--listen', '127.0.0.1:0', '--data', join(folder, 'data')],
      ...['--apns-production', String(url), '--apns-ca', caFile],
    ])
    try {
      const { pem } = (await ask(control, '/certificates', { topic: TOPIC })) as { pem: string }
      await call(daemon.url, 'provision', ['myapp', pem, 'production', 15])
      await call(daemon.url, 'notify', ['myapp', DEVICE_TOKEN, { aps: { badge: 1 } }])
      assert.deepEqual((await firstTaken(control)).payload, { aps: { badge: 1 } })
    } finally {
      await daemon.kill()
    }
  })

  it('says which address is taken, at either of its doors', async () => {
    const holder = createServer()
    await once(holder.listen(0, '127.0.0.1'), 'listening')
    const taken = `127.0.0.1:${(holder.address() as AddressInfo).port}`
    try {
      for (const option of ['--listen', '--control']) {
        const args = ['simulate', ...FREE_PORTS, option, taken]
        const { exitCode, stdout, stderr } = await runApnsd(args)
        assert.equal(exitCode, ERRORS['invalid-configuration'].exitCode, stderr)
        assert.equal(stdout, '')
        assert.match(stderr, /^apnsd: Cannot listen on [^\n]+: something listens there already\./)
        assert.ok(stderr.includes(taken), stderr)
      }
    } finally {
      holder.close()
    }
  })
})
