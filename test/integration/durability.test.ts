import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, it } from 'node:test'
import { Simulator } from '@apnsd/simulator'
import { DEVICE_TOKEN, Stage, TOPIC } from '../support/stage.ts'

describe('nothing accepted is lost', () => {
  let stage: Stage
  beforeEach(async () => {
    stage = await Stage.open()
  })
  afterEach(() => stage.close())

  const payload = (alert: string) => ({ aps: { alert } })

  it('delivers after a restart what was accepted right before a SIGKILL', async () => {
    await stage.provision()
    await stage.call('notify', 'myapp', DEVICE_TOKEN, payload('first'))
    await stage.settled(1)
    stage.simulator.clearNotifications()
    // Apple takes nothing for now, so that the daemon can only have it on disk when it is killed
    stage.simulator.play({ rules: [{ do: { type: 'noAnswer' } }] })
    await stage.call('notify', 'myapp', DEVICE_TOKEN, payload('second'))
    await stage.daemon.kill()
    stage.simulator.clearScript()
    await stage.startDaemon()
    const [taken] = await stage.settled(1)
    assert.deepEqual(taken?.payload, payload('second'))
  })

  it('needs no provisioning after a restart, and remembers outcomes', async () => {
    await stage.provision()
    await stage.call('notify', 'myapp', DEVICE_TOKEN, payload('before'))
    const [before] = await stage.settled(1)
    assert.equal(await stage.daemon.stop(), 0)
    await stage.startDaemon()
    assert.equal((await stage.outcome(before?.apnsId ?? '')).state, 'accepted')
    await stage.call('notify', 'myapp', DEVICE_TOKEN, payload('after'))
    const taken = await stage.settled(2)
    assert.deepEqual(taken[1]?.payload, payload('after'))
  })

  it('absorbs an outage of Apple in the queue once the credential has reached it, also after a restart', async () => {
    await stage.provision()
    await stage.call('notify', 'myapp', DEVICE_TOKEN, payload('before'))
    await stage.settled(1)
    const { authority, url } = stage.simulator
    await stage.simulator.close()
    await stage.call('notify', 'myapp', DEVICE_TOKEN, payload('during'))
    await stage.daemon.stop()
    await stage.startDaemon(url)
    await stage.call('notify', 'myapp', DEVICE_TOKEN, payload('during, after a restart'))
    const { certificatePem, privateKeyPem } = authority
    stage.simulator = await Simulator.start({
      listen: { host: '127.0.0.1', port: Number(new URL(url).port) },
      authority: { certificatePem, privateKeyPem },
    })
    const taken = await stage.settled(2)
    assert.deepEqual(
      taken.map((notification) => notification.payload),
      [payload('during'), payload('during, after a restart')],
    )
  })

  it('sends again, with the same apns-id, what never got an answer', async () => {
    await stage.provision()
    await stage.call('notify', 'myapp', DEVICE_TOKEN, payload('first'))
    await stage.settled(1)
    stage.simulator.clearNotifications()
    stage.simulator.play({ rules: [{ times: 1, do: { type: 'closeConnection' } }] })
    await stage.call('notify', 'myapp', DEVICE_TOKEN, payload('second'))
    const [taken] = await stage.settled(1)
    assert.deepEqual(taken?.payload, payload('second'))
    assert.equal((await stage.outcome(taken.apnsId)).attempts, 2)
  })

  it('drains at SIGTERM: answers that are on their way are waited for', async () => {
    await stage.provision()
    await stage.call('notify', 'myapp', DEVICE_TOKEN, payload('first'))
    await stage.settled(1)
    stage.simulator.clearNotifications()
    stage.simulator.play({ rules: [{ do: { type: 'delay', ms: 200 } }] })
    await stage.call(
      'notify',
      'myapp',
      Array.from({ length: 50 }, () => DEVICE_TOKEN),
      payload('many'),
    )
    assert.equal(await stage.daemon.stop(), 0)
    await stage.startDaemon()
    stage.simulator.clearScript()
    const taken = await stage.settled(50)
    const ids = new Set(taken.map(({ apnsId }) => apnsId))
    assert.equal(ids.size, 50)
    assert.equal(stage.simulator.totals.accepted, 51)
  })

  it('ends at SIGTERM without waiting for connections on which it has answered meanwhile', async () => {
    await stage.daemon.stop()
    const config = join(stage.folder, 'patient.yaml')
    writeFileSync(config, 'drainSeconds: 3600\n')
    // nobody can reach Apple there, so the call waits until the daemon is told to stop; its client keeps connections
    await stage.startDaemon('https://127.0.0.1:1', { options: ['--config', config] })
    const { pem } = stage.simulator.issueCertificate({ topic: TOPIC })
    await stage.call('provision', 'waiting', pem, 'sandbox', 3600)
    const refused = assert.rejects(
      stage.call('notify', 'waiting', DEVICE_TOKEN, payload('in vain')),
      { faultCode: 503 },
    )
    // the daemon takes what comes in turn: with the last of these answered it has the call as well
    for (let turn = 0; turn < 20; turn += 1) await fetch(`${stage.daemon.url}/healthz`)
    const ended = stage.daemon.stop()
    await refused
    assert.equal(await ended, 0)
  })

  it('goes on, and ends at SIGTERM, when the reader of its log has gone', async () => {
    await stage.provision()
    stage.daemon.deafen()
    await stage.call('notify', 'myapp', DEVICE_TOKEN, payload('unlogged'))
    await stage.settled(1)
    assert.equal(await stage.daemon.stop(), 0)
    // and so where the first line that nobody reads is the one about ending
    await stage.startDaemon()
    stage.daemon.deafen()
    assert.equal(await stage.daemon.stop(), 0)
  })

  it('delivers a call of several chunks whole', async () => {
    await stage.provision()
    const deviceTokens = Array.from({ length: 2500 }, (_, index) =>
      index.toString(16).padStart(64, '0'),
    )
    await stage.call('notify', 'myapp', deviceTokens, payload('all'))
    const taken = await stage.settled(2500)
    assert.deepEqual(taken.map(({ deviceToken }) => deviceToken).sort(), deviceTokens)
  })
})
