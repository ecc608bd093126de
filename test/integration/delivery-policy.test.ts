import assert from 'node:assert/strict'
import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, beforeEach, describe, it } from 'node:test'
import { Simulator } from '@apnsd/simulator'
import { DaemonProcess } from '../../packages/apnsd/src/doors/cli/demo/daemon-process.ts'
import { RestCalls } from '../support/rest-calls.ts'
import { DEVICE_TOKEN, Stage, TOPIC } from '../support/stage.ts'

const payload = { aps: { alert: 'hi' } }
const tokenOf = (index: number): string => index.toString(16).padStart(64, '0')
const tokensFrom = (first: number, count: number): string[] =>
  Array.from({ length: count }, (_, index) => tokenOf(first + index))

describe('what becomes of a notification in trouble', () => {
  let stage: Stage
  const rest = new RestCalls(() => stage.daemon.url)
  before(async () => {
    stage = await Stage.open()
  })
  after(() => stage.close())
  beforeEach(() => {
    stage.simulator.clearScript()
    stage.simulator.clearNotifications()
  })

  /** An app with a signing key; the same key each time that it is asked for the same app. */
  const keys = new Map<string, object>()
  async function provision(app: string, policy: object = {}): Promise<void> {
    const credential = keys.get(app) ?? { type: 'token', ...stage.simulator.issueKey() }
    keys.set(app, credential)
    const body = { environment: 'sandbox', topic: TOPIC, credential, policy }
    const answer = await rest.call('PUT', `/v1/apps/${app}`, body)
    assert.equal(answer.status, 200, JSON.stringify(answer.body))
    await rest.ended(await rest.submit(app, { token: tokenOf(0), payload }))
    stage.simulator.clearNotifications()
  }

  const problemsOf = async (app: string): Promise<{ code: string }[]> => {
    const { body } = await rest.call('GET', '/readyz')
    return body.problems.filter(({ check }: { check: string }) => check === `app ${app}`)
  }

  const firstOf = async (batch: string) =>
    (await rest.call('GET', `/v1/batches/${batch}/notifications`)).body.notifications[0]

  it('pauses an app when Apple refuses its credential, says so everywhere, and no other', async () => {
    await provision('refused')
    await provision('other')
    const reason = 'InvalidProviderToken'
    stage.simulator.play([{ times: 1, do: { type: 'reject', reason } }])
    const kept = await rest.submit('refused', { token: DEVICE_TOKEN, payload })
    await stage.daemon.waitForLog(({ check }) => check === 'app refused')
    const { body } = await rest.call('GET', '/v1/apps/refused')
    assert.partialDeepStrictEqual(body.delivery, {
      state: 'paused',
      why: `Apple answered ${reason}.`,
    })
    assert.ok(Date.parse(body.delivery.nextTryAt) > Date.parse(body.delivery.since))
    assert.deepEqual(
      (await problemsOf('refused')).map(({ code }) => code),
      ['credential-refused'],
    )
    await rest.ended(await rest.submit('other', { token: DEVICE_TOKEN, payload }))
    assert.equal((await rest.batch(kept)).counts['waiting'], 1)
    // the very same credential, said anew, is a try; it is good by now
    const [, credential] = [...keys].find(([app]) => app === 'refused')!
    await rest.call('PUT', '/v1/apps/refused', { environment: 'sandbox', topic: TOPIC, credential })
    assert.equal((await rest.ended(kept)).counts['accepted'], 1)
    assert.deepEqual(await problemsOf('refused'), [])
  })

  it('pauses an app whose device tokens are nearly all rejected, and keeps the campaign', async () => {
    await provision('mixed-up')
    stage.simulator.play([{ do: { type: 'reject', reason: 'BadDeviceToken' } }])
    const campaign = await rest.submit('mixed-up', { tokens: tokensFrom(1, 5000), payload })
    await stage.daemon.waitForLog(({ check }) => check === 'app mixed-up')
    const { body } = await rest.call('GET', '/v1/apps/mixed-up')
    assert.equal(body.delivery.state, 'paused')
    assert.match(body.delivery.why, /device tokens/)
    const settled = await rest.batchWhen(campaign, ({ counts }) => counts['rejected']! >= 90)
    assert.ok(settled.counts['rejected']! < 200, `${settled.counts['rejected']} were declared bad`)
    // whoever calls is not turned away: what comes is kept as well
    await rest.submit('mixed-up', { token: DEVICE_TOKEN, payload })
    stage.simulator.clearScript()
    await provision('mixed-up')
    const { counts } = await rest.ended(campaign)
    assert.equal(counts['accepted']! + counts['rejected']!, 5000)
    assert.ok(counts['rejected']! < 200)
    assert.deepEqual(await problemsOf('mixed-up'), [])
  })

  it('goes on where the app wants no breaker, and with fewer than could mean anything', async () => {
    await provision('determined', { deviceTokenBreaker: false })
    await provision('few')
    stage.simulator.play([{ do: { type: 'reject', reason: 'BadDeviceToken' } }])
    for (const [app, count] of [
      ['determined', 1500],
      ['few', 90],
    ] as const) {
      const batch = await rest.submit(app, { tokens: tokensFrom(1, count), payload })
      assert.equal((await rest.ended(batch)).counts['rejected'], count)
      const { body } = await rest.call('GET', `/v1/apps/${app}`)
      assert.equal(body.delivery.state, 'sending')
    }
  })

  it('gives up what is in doubt where the app wants that, and else sends it again under the same apns-id', async () => {
    for (const [inDoubt, state] of [
      ['drop', 'failed'],
      ['resend', 'accepted'],
    ] as const) {
      await provision(inDoubt, { inDoubt })
      const { answers } = stage.simulator.totals
      stage.simulator.play([{ times: 1, do: { type: 'closeConnection' } }])
      const batch = await rest.submit(inDoubt, { token: DEVICE_TOKEN, payload })
      await rest.ended(batch)
      const view = await firstOf(batch)
      assert.deepEqual([view.state, view.attempts], [state, state === 'failed' ? 1 : 2])
      const sent = stage.simulator.totals.answers - answers
      assert.equal(sent, state === 'failed' ? 0 : 1)
      if (state === 'accepted')
        assert.equal(stage.simulator.notifications()[0]?.apnsId, view.apnsId)
    }
  })

  it('gives a device token that had too much time, and the others nothing to wait for', async () => {
    await provision('busy')
    const reason = 'TooManyRequests'
    const match = { deviceToken: DEVICE_TOKEN }
    stage.simulator.play([{ match, times: 1, do: { type: 'reject', reason, retryAfterS: 2 } }])
    const first = await rest.submit('busy', { token: DEVICE_TOKEN, payload })
    await rest.batchWhen(first, ({ reasons }) => reasons[reason] === 1)
    const next = await firstOf(first)
    assert.equal(next.nextAttempt.reason, reason)
    const dueAt = Date.parse(next.nextAttempt.at)
    // the next one to the same device is held back with it, and has made no attempt
    const second = await rest.submit('busy', { tokens: [DEVICE_TOKEN, tokenOf(5)], payload })
    await rest.batchWhen(second, ({ counts }) => counts['accepted'] === 1)
    const held = await firstOf(second)
    assert.partialDeepStrictEqual(held, { state: 'waiting', attempts: 0, token: DEVICE_TOKEN })
    assert.equal(Date.parse(held.nextAttempt.at), dueAt)
    assert.deepEqual(
      stage.simulator.notifications().map(({ deviceToken }) => deviceToken),
      [tokenOf(5)],
    )
    await rest.ended(first)
    await rest.ended(second)
    assert.ok(Date.now() >= dueAt)
    assert.equal((await firstOf(first)).attempts, 2)
  })

  it('never sends again past the ttl, and says what was the matter', async () => {
    await provision('late')
    const reason = 'ServiceUnavailable'
    stage.simulator.play([{ do: { type: 'reject', reason, retryAfterS: 60 } }])
    const batch = await rest.submit('late', { token: DEVICE_TOKEN, payload, ttl: 30 })
    await rest.ended(batch)
    assert.partialDeepStrictEqual(await firstOf(batch), { state: 'expired', reason, attempts: 1 })
  })

  it('lets what nobody could send expire, while its app is paused', async () => {
    await provision('paused')
    const expiring = await rest.submit('paused', {
      token: DEVICE_TOKEN,
      payload,
      ttl: 1,
      sendAt: new Date(Date.now() + 500).toISOString(),
    })
    stage.simulator.play([{ do: { type: 'reject', reason: 'InvalidProviderToken' } }])
    const kept = await rest.submit('paused', { token: DEVICE_TOKEN, payload })
    await stage.daemon.waitForLog(({ check }) => check === 'app paused')
    const turnedAway = await rest.call('POST', '/v1/apps/paused/notifications', {
      token: DEVICE_TOKEN,
      payload,
    })
    assert.deepEqual([turnedAway.status, turnedAway.body.code], [409, 'credential-refused'])
    assert.equal((await rest.ended(expiring)).counts['expired'], 1)
    assert.equal((await rest.batch(kept)).counts['waiting'], 1)
  })

  it('tries a stray device token in the other environment where the app wants that', async () => {
    const production = await Simulator.start()
    const folder = join(stage.folder, 'two')
    const authorities = [stage.simulator, production].map((one) => one.authority.certificatePem)
    writeFileSync(join(stage.folder, 'both.pem'), authorities.join(''))
    const daemon = await DaemonProcess.start([
      ...['--listen', '127.0.0.1:0', '--data', folder],
      ...['--apns-sandbox', stage.simulator.url, '--apns-production', production.url],
      ...['--apns-ca', join(stage.folder, 'both.pem')],
    ])
    try {
      const calls = new RestCalls(() => daemon.url)
      const { key, keyId, teamId } = stage.simulator.issueKey()
      production.issueKey({ key, keyId, teamId })
      const put = (tryOtherEnvironment: boolean) =>
        calls.call('PUT', '/v1/apps/stray', {
          environment: 'sandbox',
          topic: TOPIC,
          credential: { type: 'token', key, keyId, teamId },
          policy: { tryOtherEnvironment },
        })
      const reason = 'BadDeviceToken'
      stage.simulator.play([
        { match: { deviceToken: DEVICE_TOKEN }, do: { type: 'reject', reason } },
      ])
      const sendOne = async () => {
        const batch = await calls.submit('stray', { token: DEVICE_TOKEN, payload })
        await calls.ended(batch)
        const { body } = await calls.call('GET', `/v1/batches/${batch}/notifications`)
        return body.notifications[0]
      }
      await put(false)
      assert.partialDeepStrictEqual(await sendOne(), { state: 'rejected', wrongEnvironment: false })
      assert.equal(production.totals.answers, 0)
      await put(true)
      const strayed = await sendOne()
      assert.partialDeepStrictEqual(strayed, {
        state: 'accepted',
        wrongEnvironment: true,
        reason: null,
      })
      assert.equal(production.notifications()[0]?.apnsId, strayed.apnsId)
      production.play([{ do: { type: 'reject', reason } }])
      assert.partialDeepStrictEqual(await sendOne(), { state: 'rejected', reason })
    } finally {
      await daemon.kill()
      await production.close()
      rmSync(folder, { recursive: true, force: true })
    }
  })

  it('lets what is in hand expire though there is no connection to ask for it', async () => {
    await provision('away')
    await stage.simulator.close()
    const batch = await rest.submit('away', { token: DEVICE_TOKEN, payload, ttl: 1 })
    const { counts } = await rest.ended(batch)
    assert.equal(counts['expired'], 1)
    assert.equal((await firstOf(batch)).attempts, 0)
  })
})
