import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { request } from 'node:http'
import { join } from 'node:path'
import { after, before, beforeEach, describe, it } from 'node:test'
import { RestCalls } from '../support/rest-calls.ts'
import { DEVICE_TOKEN, Stage, TOPIC } from '../support/stage.ts'

const payload = { aps: { alert: 'hi' } }
const NDJSON = { 'content-type': 'application/x-ndjson' }
const tokenOf = (index: number): string => index.toString(16).padStart(64, '0')
const lineOf = (index: number): string =>
  `${JSON.stringify({ token: tokenOf(index), payload: { ...payload, n: index } })}\n`

describe('submissions over REST', () => {
  let stage: Stage
  const rest = new RestCalls(() => stage.daemon.url)
  before(async () => {
    stage = await Stage.open()
    await stage.provision()
  })
  after(() => stage.close())
  beforeEach(() => {
    stage.simulator.clearScript()
    stage.simulator.clearNotifications()
  })

  const post = (body: unknown, headers?: Record<string, string>, query = '') =>
    rest.call('POST', `/v1/apps/myapp/notifications${query}`, body, headers)

  it('takes one, several with one payload, and several of their own', async () => {
    const batches = [
      await rest.submit('myapp', { token: DEVICE_TOKEN, payload }),
      await rest.submit('myapp', { tokens: [tokenOf(1), tokenOf(2)], payload }),
      await rest.submit('myapp', {
        notifications: [
          { token: tokenOf(3), payload },
          { token: tokenOf(4), payload: { aps: { badge: 1 } } },
        ],
      }),
    ]
    const counts: (number | undefined)[] = []
    for (const batch of batches) counts.push((await rest.ended(batch)).counts['accepted'])
    assert.deepEqual(counts, [1, 2, 2])
    assert.equal(stage.simulator.notifications().length, 5)
  })

  it('gives Apple every header as it was asked for', async () => {
    const batch = await rest.submit('myapp', {
      token: DEVICE_TOKEN,
      payload,
      pushType: 'voip',
      topic: TOPIC,
      priority: 5,
      expiration: 4_000_000_000,
      collapseId: 'news',
    })
    await rest.ended(batch)
    const [sent] = stage.simulator.notifications()
    assert.partialDeepStrictEqual(sent?.headers, {
      'apns-topic': `${TOPIC}.voip`,
      'apns-push-type': 'voip',
      'apns-priority': '5',
      'apns-expiration': '4000000000',
      'apns-collapse-id': 'news',
    })
  })

  it('refuses each that Apple would refuse, by its place, and takes the others', async () => {
    const { status, body } = await post({
      notifications: [
        { token: DEVICE_TOKEN, payload },
        { token: 'zz', payload },
        { token: DEVICE_TOKEN, payload: { aps: { alert: 'x'.repeat(5000) } } },
        { token: DEVICE_TOKEN, payload, priority: 3 },
        { token: tokenOf(1), payload },
      ],
    })
    assert.equal(status, 202)
    assert.equal(body.queued, 2)
    assert.deepEqual(
      body.refused.map(({ index, code, field }: Record<string, unknown>) => [index, code, field]),
      [
        [1, 'invalid-device-token', 'token'],
        [2, 'payload-too-large', 'payload'],
        [3, 'invalid-argument', 'priority'],
      ],
    )
    await rest.ended(body.batch)
    const page = await rest.call('GET', `/v1/batches/${body.batch}/notifications`)
    assert.deepEqual(
      page.body.notifications.map(({ index, token, state }: Record<string, unknown>) => [
        index,
        token,
        state,
      ]),
      [
        [0, DEVICE_TOKEN, 'accepted'],
        [4, tokenOf(1), 'accepted'],
      ],
    )
  })

  it('checks and sends nothing where that is asked', async () => {
    const { status, body } = await rest.call('POST', '/v1/apps/myapp/validate', {
      tokens: [DEVICE_TOKEN, ''],
      payload,
    })
    assert.equal(status, 200)
    assert.deepEqual(body.refused, [
      {
        index: 1,
        code: 'invalid-device-token',
        detail: 'The device token is empty.',
        field: 'token',
      },
    ])
    // what is sent after it arrives first
    await rest.submit('myapp', { token: tokenOf(9), payload })
    const [first] = await stage.simulator.waitForNotifications(1)
    assert.equal(first?.deviceToken, tokenOf(9))
  })

  it('says what is wrong with a submission as a whole', async () => {
    for (const [body, place] of [
      [{ payload }, undefined],
      [{ token: DEVICE_TOKEN, tokens: [], payload }, undefined],
      [{ token: DEVICE_TOKEN }, '/payload'],
      [{ notifications: [], payload }, '/payload'],
      [{ token: DEVICE_TOKEN, payload, sendAt: 'tomorrow' }, '/sendAt'],
      [{ token: DEVICE_TOKEN, payload, sendAt: '2099-01-01T00:00:00Z' }, '/sendAt'],
      [{ token: DEVICE_TOKEN, payload, ttl: 0 }, '/ttl'],
      [{ token: DEVICE_TOKEN, payload, rate: -1 }, '/rate'],
      [{ token: DEVICE_TOKEN, payload, badge: 1 }, ''],
    ] as const) {
      const answer = await post(body)
      assert.equal(answer.status, 400, JSON.stringify(body))
      assert.equal(answer.body.code, 'invalid-argument')
      assert.equal(answer.body.place, place, JSON.stringify(body))
    }
    const unknown = await rest.call('POST', '/v1/apps/nobody/notifications', {
      token: DEVICE_TOKEN,
      payload,
    })
    assert.equal(unknown.body.code, 'unknown-app')
    assert.equal((await rest.call('GET', `/v1/batches/${'0'.repeat(24)}`)).status, 404)
    assert.equal((await rest.call('DELETE', `/v1/batches/${'0'.repeat(24)}`)).status, 404)
    assert.equal(
      (await rest.call('GET', `/v1/batches/${'0'.repeat(24)}/notifications`)).status,
      404,
    )
  })

  it('lists a batch page by page', async () => {
    const tokens = Array.from({ length: 250 }, (_, index) => tokenOf(index))
    const batch = await rest.submit('myapp', { tokens, payload })
    const seen: string[] = []
    let cursor = ''
    for (;;) {
      const path = `/v1/batches/${batch}/notifications?limit=99${cursor}`
      const { body } = await rest.call('GET', path)
      seen.push(...body.notifications.map(({ token }: { token: string }) => token))
      if (body.next === null) break
      cursor = `&after=${body.next}`
    }
    assert.deepEqual(seen, tokens)
  })

  it('takes a call that comes twice once, and knows a different one under the same key', async () => {
    const key = { 'idempotency-key': 'order-17' }
    const body = { tokens: [tokenOf(1), 'zz'], payload }
    const first = await post(body, key)
    await rest.ended(first.body.batch)
    await stage.daemon.stop()
    await stage.startDaemon()
    const again = await post(body, key)
    assert.deepEqual([again.status, again.body], [202, first.body])
    const other = await post({ ...body, tokens: [tokenOf(2)] }, key)
    assert.deepEqual([other.status, other.body.code], [409, 'idempotency-conflict'])
    await rest.ended(await rest.submit('myapp', { token: tokenOf(3), payload }))
    assert.deepEqual(
      stage.simulator.notifications().map(({ deviceToken }) => deviceToken),
      [tokenOf(1), tokenOf(3)],
    )
  })

  it('takes notifications line by line, refuses the bad lines and takes the others', async () => {
    const lines = Array.from({ length: 2500 }, (_, index) => lineOf(index))
    lines[7] = 'not json\n'
    lines[1700] = `${JSON.stringify({ token: 'zz', payload })}\n`
    lines[2000] = `${JSON.stringify({ token: tokenOf(2000) })}\n`
    const { status, body } = await post(lines.join('').trimEnd(), NDJSON)
    assert.equal(status, 202)
    assert.deepEqual([body.queued, body.refusedCount], [2497, 3])
    assert.deepEqual(
      body.refused.map(({ index, code }: Record<string, unknown>) => [index, code]),
      [
        [7, 'malformed-request'],
        [1700, 'invalid-device-token'],
        [2000, 'malformed-request'],
      ],
    )
    const { counts } = await rest.ended(body.batch)
    assert.equal(counts['accepted'], 2497)
    const { body: page } = await rest.call(
      'GET',
      `/v1/batches/${body.batch}/notifications?after=1999&limit=1`,
    )
    assert.equal(page.notifications[0].token, tokenOf(2001))
  })

  it('goes on where a call of lines broke off when it is repeated with its key', async () => {
    const key = { 'idempotency-key': 'upload-1' }
    const lines = Array.from({ length: 3500 }, (_, index) => lineOf(index))
    // the caller dies after some 2500 lines, of which the first 2000 were taken
    const broken = request(`${stage.daemon.url}/v1/apps/myapp/notifications`, {
      method: 'POST',
      headers: { ...NDJSON, ...key },
    })
    broken.on('error', () => undefined)
    broken.write(lines.slice(0, 2500).join(''))
    await stage.simulator.waitForNotifications(2000)
    broken.destroy()
    const { body } = await post(lines.join(''), { ...NDJSON, ...key })
    assert.equal(body.queued, 3500)
    const { counts } = await rest.ended(body.batch)
    assert.equal(counts['accepted'], 3500)
    const numbers = stage.simulator
      .notifications()
      .map(({ payload: sent }) => (sent as { n: number }).n)
    assert.equal(numbers.length, 3500)
    assert.equal(new Set(numbers).size, 3500)
    const again = await post(lines.join(''), { ...NDJSON, ...key })
    assert.deepEqual(again.body, body)
    const longer = await post(`${lines.join('')}${lineOf(9999)}`, { ...NDJSON, ...key })
    assert.equal(longer.body.code, 'idempotency-conflict')
    const shorter = await post(lines.slice(0, 1000).join(''), { ...NDJSON, ...key })
    assert.equal(shorter.body.code, 'idempotency-conflict')
  })

  it('says when too much waits, when to come again, and takes more when some has gone', async () => {
    const config = join(stage.folder, 'narrow.yaml')
    writeFileSync(config, 'queue:\n  maxNotifications: 100\n')
    await stage.daemon.stop()
    await stage.startDaemon(stage.simulator.url, { options: ['--config', config] })
    const sendAt = new Date(Date.now() + 3_600_000).toISOString()
    const tokens = Array.from({ length: 75 }, (_, index) => tokenOf(index))
    const waiting = await rest.submit('myapp', { tokens, payload, sendAt })
    const refused = await post({ token: DEVICE_TOKEN, payload })
    assert.deepEqual([refused.status, refused.body.code], [503, 'queue-full'])
    assert.match(refused.headers.get('retry-after') ?? '', /^\d+$/)
    await assert.rejects(stage.call('notify', 'myapp', DEVICE_TOKEN, payload), {
      faultCode: 503,
    })
    const { body: ready } = await rest.call('GET', '/readyz')
    assert.partialDeepStrictEqual(ready.queue, { notifications: 75, maxNotifications: 100 })
    await rest.call('DELETE', `/v1/batches/${waiting}`)
    await rest.ended(await rest.submit('myapp', { token: DEVICE_TOKEN, payload }))
    assert.equal(stage.simulator.notifications().length, 1)
  })

  it('sends nothing before its time, and takes back what has not been sent', async () => {
    const sendAt = new Date(Date.now() + 3_600_000).toISOString()
    const later = await rest.submit('myapp', { token: tokenOf(1), payload, sendAt })
    const { body } = await rest.call('GET', `/v1/batches/${later}`)
    assert.equal(body.sendAt, sendAt)
    const soon = new Date(Date.now() + 300).toISOString()
    const scheduled = await rest.submit('myapp', { token: tokenOf(2), payload, sendAt: soon })
    await rest.ended(scheduled)
    const [sent] = stage.simulator.notifications()
    assert.equal(sent?.deviceToken, tokenOf(2))
    assert.ok(Date.now() >= Date.parse(soon))
    assert.equal((await rest.batch(later)).counts['waiting'], 1)
    const cancelled = await rest.call('DELETE', `/v1/batches/${later}`)
    assert.equal(cancelled.body.cancelled, true)
    assert.equal(cancelled.body.counts.cancelled, 1)
    const { body: page } = await rest.call('GET', `/v1/batches/${later}/notifications`)
    assert.partialDeepStrictEqual(page.notifications[0], { state: 'cancelled', attempts: 0 })
  })
})
