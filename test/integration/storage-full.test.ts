import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, it } from 'node:test'
import { Simulator } from '@apnsd/simulator'
import { XmlRpcFault } from '../../packages/apnsd/src/doors/xmlrpc/parse-response.ts'
import { type Shortage, shortages } from '../support/shortage.ts'
import { DEVICE_TOKEN, Stage, TOPIC } from '../support/stage.ts'

const payload = (alert: string) => ({ aps: { alert } })

interface Readiness {
  readonly status: string
  readonly problems: readonly { readonly check: string; readonly code: string }[]
}

for (const { name, on } of shortages())
  describe(`with ${name}`, () => {
    let stage: Stage
    let shortage: Shortage
    beforeEach(async () => {
      stage = await Stage.prepare()
      shortage = on(stage)
      shortage.prepare()
    })
    afterEach(async () => {
      await stage.endDaemon()
      shortage.release()
      await stage.close()
    })

    /** A daemon that has an app and has sent one notification; gives its `apns-id`. */
    async function startWithApp(): Promise<string> {
      await stage.startDaemon()
      await stage.provision()
      await stage.call('notify', 'myapp', DEVICE_TOKEN, payload('before'))
      const [taken] = await stage.settled(1)
      return taken?.apnsId ?? ''
    }

    async function get(path: string): Promise<{ status: number; body: unknown }> {
      const response = await fetch(stage.daemon.url + path)
      return { status: response.status, body: await response.json() }
    }

    async function refused(method: string, ...params: Parameters<Stage['call']>[1][]) {
      const fault = await stage.call(method, ...params).then(
        () => assert.fail(`${method} was answered`),
        (error: unknown) => error,
      )
      assert.ok(fault instanceof XmlRpcFault)
      assert.equal(fault.faultCode, 503)
      assert.match(fault.faultString, shortage.sentence)
      assert.match(fault.faultString, /Try again in 10 s\.$/)
    }

    const isOver = () =>
      stage.daemon.waitForLog(
        ({ msg, check }) => msg === 'a check passes again' && check === 'storage',
      )

    it('refuses whatever would have to be written, answers the rest, and goes on by itself when there is room', async () => {
      const before = await startWithApp()
      stage.simulator.killDevice('dead'.repeat(16))
      await stage.call('notify', 'myapp', 'dead'.repeat(16), payload('to nobody'))
      await stage.daemon.waitForLog(({ msg, others }) => msg === 'outcomes' && others !== undefined)
      shortage.begin()
      await refused('feedback', 'myapp')
      for (let call = 0; call < 50; call += 1)
        await refused('notify', 'myapp', DEVICE_TOKEN, payload('refused'))
      const { pem } = stage.simulator.issueCertificate({ topic: 'com.example.other' })
      await refused('provision', 'other', pem, 'sandbox', 15)
      await refused('provision', 'myapp', pem, 'sandbox', 15)
      const put = await fetch(`${stage.daemon.url}/v1/apps/other`, {
        method: 'PUT',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ environment: 'sandbox', credential: { type: 'certificate', pem } }),
      })
      assert.equal(put.status, 503)
      assert.equal(put.headers.get('retry-after'), '10')
      assert.equal(put.headers.get('content-type'), 'application/problem+json; charset=utf-8')
      assert.equal(((await put.json()) as { code: string }).code, 'storage-failed')

      const { status, body } = await get('/v1/apps')
      assert.equal(status, 200)
      const { apps } = body as { apps: { app: string; topic: string }[] }
      assert.deepEqual(
        apps.map(({ app, topic }) => [app, topic]),
        [['myapp', TOPIC]],
      )
      assert.equal((await stage.outcome(before)).state, 'accepted')
      assert.equal((await get('/healthz')).status, 200)
      const readiness = await get('/readyz')
      assert.equal(readiness.status, 503)
      const { problems } = readiness.body as Readiness
      assert.deepEqual(
        problems.map(({ check, code }) => [check, code]),
        [['storage', shortage.fault]],
      )

      shortage.end()
      await isOver()
      const complaints = stage.daemon.log.filter(({ level }) => level === 'error')
      assert.deepEqual(
        complaints.map(({ msg, check }) => [msg, check]),
        [['a check fails', 'storage']],
      )
      assert.equal((await get('/readyz')).status, 200)
      const feedback = (await stage.call('feedback', 'myapp')) as unknown[]
      assert.equal(feedback.length, 1)
      assert.deepEqual(await stage.call('feedback', 'myapp'), [])
      await stage.call('notify', 'myapp', DEVICE_TOKEN, payload('after'))
      const taken = await stage.settled(2)
      assert.deepEqual(
        taken.map((notification) => notification.payload),
        [payload('before'), payload('after')],
      )
    })

    it('keeps nothing of a call that did not fit, though some of it did', async () => {
      await startWithApp()
      shortage.begin(100_000)
      const many = Array.from({ length: 5000 }, (_, index) => index.toString(16).padStart(64, '0'))
      await refused(
        'notify',
        'myapp',
        many,
        many.map(() => payload('too much')),
      )
      shortage.end()
      await isOver()
      await stage.daemon.kill()
      await stage.startDaemon()
      await stage.call('notify', 'myapp', DEVICE_TOKEN, payload('after'))
      const taken = await stage.settled(2)
      assert.deepEqual(taken[1]?.payload, payload('after'))
    })

    it('delivers what waits, and writes its outcome down when there is room', async () => {
      await startWithApp()
      const earlier = await stage.daemon.waitForLog(({ msg }) => msg === 'outcomes')
      const { authority, url } = stage.simulator
      await stage.simulator.close()
      await stage.call('notify', 'myapp', DEVICE_TOKEN, payload('waits'))
      shortage.begin()
      const { certificatePem, privateKeyPem } = authority
      stage.simulator = await Simulator.start({
        listen: { host: '127.0.0.1', port: Number(new URL(url).port) },
        authority: { certificatePem, privateKeyPem },
      })
      const [taken] = await stage.simulator.waitForNotifications(1)
      await stage.daemon.waitForLog(
        ({ msg, check }) => msg === 'a check fails' && check === 'storage',
      )
      shortage.end()
      await stage.daemon.waitForLog((line) => line.msg === 'outcomes' && line !== earlier)
      await stage.daemon.kill()
      await stage.startDaemon()
      assert.equal((await stage.outcome(taken?.apnsId ?? '')).state, 'accepted')
      assert.equal(stage.simulator.totals.accepted, 1)
    })

    for (const end of ['stop', 'kill'] as const)
      it(`does not start after a ${end}, says why, and starts when there is room, with all that waited`, async () => {
        await startWithApp()
        const { authority, url } = stage.simulator
        await stage.simulator.close()
        await stage.call('notify', 'myapp', DEVICE_TOKEN, payload('waits'))
        await stage.daemon[end]()
        if (shortage.under.length === 0) shortage.begin()
        await assert.rejects(stage.startDaemon(url, { under: shortage.under }), (error: Error) => {
          assert.match(
            error.message,
            /ended with 7: apnsd: The data (?:file|folder) \/\S+ cannot be/,
          )
          assert.match(error.message, shortage.sentence)
          return true
        })
        if (shortage.under.length === 0) shortage.end()
        const { certificatePem, privateKeyPem } = authority
        stage.simulator = await Simulator.start({
          listen: { host: '127.0.0.1', port: Number(new URL(url).port) },
          authority: { certificatePem, privateKeyPem },
        })
        await stage.startDaemon(url)
        const [taken] = await stage.settled(1)
        assert.deepEqual(taken?.payload, payload('waits'))
      })

    it('does not start for the first time either, and leaves nothing half made', async () => {
      if (shortage.under.length === 0) shortage.begin()
      await assert.rejects(
        stage.startDaemon(stage.simulator.url, { under: shortage.under }),
        /ended with 7: apnsd: /,
      )
      assert.equal(existsSync(join(stage.dataFolder, 'apnsd.db')), false)
      if (shortage.under.length === 0) shortage.end()
      await startWithApp()
    })
  })
