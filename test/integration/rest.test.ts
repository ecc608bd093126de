import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { type IncomingMessage, request } from 'node:http'
import { after, before, beforeEach, describe, it } from 'node:test'
import { ERRORS, type ErrorCode } from '../../packages/apnsd/src/base/errors.ts'
import { DEVICE_TOKEN, Stage, TOPIC } from '../support/stage.ts'

const payload = { aps: { alert: 'hi' } }
const JSON_TYPE = { 'content-type': 'application/json' }

interface Answer {
  readonly status: number
  readonly type: string
  readonly text: string
}

interface Problem {
  readonly type: string
  readonly status: number
  readonly code: ErrorCode
  readonly detail: string
  readonly place?: string
  readonly hint?: string
}

describe('the REST door', () => {
  let stage: Stage
  before(async () => {
    stage = await Stage.open()
  })
  after(() => stage.close())
  beforeEach(() => {
    stage.simulator.clearScript()
    stage.simulator.clearNotifications()
  })

  /** Sends a request with any header field, `Host` among them, which `fetch` keeps to itself. */
  async function send(
    method: string,
    path: string,
    body?: unknown,
    headers: Record<string, string> = {},
  ): Promise<Answer> {
    const text = body === undefined || typeof body === 'string' ? body : JSON.stringify(body)
    const sending = request(`${stage.daemon.url}${path}`, {
      method,
      headers: { ...(text === undefined ? {} : JSON_TYPE), ...headers },
      agent: false,
    })
    sending.end(text)
    const [response] = (await once(sending, 'response')) as [IncomingMessage]
    let answer = ''
    for await (const chunk of response.setEncoding('utf8')) answer += chunk
    return {
      status: response.statusCode ?? 0,
      type: response.headers['content-type'] ?? '',
      text: answer,
    }
  }

  async function get(path: string): Promise<Record<string, unknown>> {
    const { status, type, text } = await send('GET', path)
    assert.equal(status, 200, text)
    assert.match(type, /^application\/json\b/)
    return JSON.parse(text) as Record<string, unknown>
  }

  /** What is shown of an app, but for when it reached Apple: that becomes known by itself after it was provisioned. */
  async function shownApp(appId: string): Promise<Record<string, unknown>> {
    const shown = await get(`/v1/apps/${appId}`)
    return withoutNews(shown)
  }

  /** An app without what its delivery changes from moment to moment. */
  function withoutNews(app: Record<string, unknown>): Record<string, unknown> {
    const { reachedAt: _reached, delivery: _delivery, ...rest } = app
    return rest
  }

  /** Checks that an answer is problem details with this code, and the status that the catalogue gives it. */
  function problem({ status, type, text }: Answer, code: ErrorCode): Problem {
    assert.match(type, /^application\/problem\+json\b/, text)
    const details = JSON.parse(text) as Problem
    assert.equal(details.code, code, text)
    assert.equal(details.type, `urn:apnsd:error:${code}`)
    assert.deepEqual([status, details.status], [ERRORS[code].httpStatus, status])
    assert.match(details.detail, / /)
    return details
  }

  const tokenApp = (topic = TOPIC) => ({
    environment: 'sandbox',
    topic,
    credential: { type: 'token', ...stage.simulator.issueKey() },
  })

  /** Notifies a new device over XML-RPC, as clients do, and gives what Apple took. */
  async function notify(appId: string) {
    const deviceToken = randomBytes(32).toString('hex')
    await stage.call('notify', appId, deviceToken, payload)
    const [taken] = await stage.settled(1)
    assert.ok(taken)
    return taken
  }

  /** Whatever was sent before: the daemon answers and delivers. */
  async function stillServes(): Promise<void> {
    assert.deepEqual(await get('/healthz'), { status: 'alive' })
    stage.simulator.clearNotifications()
    await stage.provision('still-there')
    await notify('still-there')
  }

  it('says that it is alive', async () => {
    assert.deepEqual(await get('/healthz'), { status: 'alive' })
  })

  it('takes a signing key for an app, and what is sent then carries a provider token and the topic', async () => {
    const body = tokenApp('com.example.keyed')
    const { keyId, teamId } = body.credential
    const { status, text } = await send('PUT', '/v1/apps/keyed', body)
    assert.equal(status, 200, text)
    const { headers } = await notify('keyed')
    assert.equal(headers['apns-topic'], 'com.example.keyed')
    const [, header = '', claims = ''] =
      /^bearer ([\w-]+)\.([\w-]+)\.[\w-]+$/.exec(headers['authorization'] ?? '') ?? []
    const decode = (part: string): unknown => JSON.parse(Buffer.from(part, 'base64url').toString())
    assert.deepEqual(decode(header), { alg: 'ES256', kid: keyId })
    assert.equal((decode(claims) as { iss: string }).iss, teamId)
  })

  it('takes a certificate for an app, and one app in place of another', async () => {
    await send('PUT', '/v1/apps/changed', tokenApp('com.example.before'))
    const { pem } = stage.simulator.issueCertificate({ topic: 'com.example.after' })
    const body = { environment: 'sandbox', credential: { type: 'certificate', pem } }
    const { status, text } = await send('PUT', '/v1/apps/changed', body)
    assert.equal(status, 200, text)
    const { headers } = await notify('changed')
    assert.equal(headers['apns-topic'], 'com.example.after')
    assert.equal(headers['authorization'], undefined)
  })

  it('shows apps one by one and all together, and nothing of their secrets', async () => {
    const { pem } = stage.simulator.issueCertificate({ topic: TOPIC })
    const keyed = tokenApp()
    const answers = [
      await send('PUT', '/v1/apps/shown-keyed', keyed),
      await send('PUT', '/v1/apps/shown-certified', {
        environment: 'production',
        credential: { type: 'certificate', pem },
      }),
      await send('GET', '/v1/apps/shown-keyed'),
      await send('GET', '/v1/apps/shown-certified'),
      await send('GET', '/v1/apps'),
    ]
    for (const { status, text } of answers) {
      assert.equal(status, 200, text)
      assert.doesNotMatch(text, /PRIVATE KEY|BEGIN/)
      for (const secret of [keyed.credential.key, pem])
        for (const line of secret.split('\n').filter((part) => part.length > 40))
          assert.equal(text.includes(line), false)
    }
    const shown = await shownApp('shown-keyed')
    assert.deepEqual(withoutNews(JSON.parse(answers[0]?.text ?? '')), shown)
    const { fingerprint, ...credential } = shown['credential'] as Record<string, unknown>
    const { keyId, teamId } = keyed.credential
    assert.deepEqual(credential, { type: 'token', keyId, teamId })
    assert.match(String(fingerprint), /^[0-9a-f]{64}$/i)
    assert.deepEqual(
      [shown['app'], shown['environment'], shown['topic']],
      ['shown-keyed', 'sandbox', TOPIC],
    )
    const certified = await shownApp('shown-certified')
    const { type, topics, expiresAt } = certified['credential'] as Record<string, unknown>
    assert.equal(type, 'certificate')
    assert.deepEqual(topics, [TOPIC, `${TOPIC}.voip`, `${TOPIC}.complication`])
    assert.ok(Date.parse(String(expiresAt)) > Date.now())
    const { apps } = (await get('/v1/apps')) as { apps: Record<string, unknown>[] }
    for (const app of [shown, certified])
      assert.deepEqual(apps.filter((listed) => listed['app'] === app['app']).map(withoutNews), [
        app,
      ])
  })

  it('says since when an app has reached Apple', async () => {
    await send('PUT', '/v1/apps/reached', tokenApp())
    await notify('reached')
    const { reachedAt } = await get('/v1/apps/reached')
    assert.match(String(reachedAt), /^\d{4}-\d\d-\d\dT[\d:.]+Z$/)
  })

  it('removes an app: nobody can notify it any more, and removing it again finds none', async () => {
    await send('PUT', '/v1/apps/removed', tokenApp())
    await notify('removed')
    const { status, text } = await send('DELETE', '/v1/apps/removed')
    assert.deepEqual([status, text], [204, ''])
    problem(await send('GET', '/v1/apps/removed'), 'unknown-app')
    problem(await send('DELETE', '/v1/apps/removed'), 'unknown-app')
    assert.doesNotMatch((await send('GET', '/v1/apps')).text, /"removed"/)
    await assert.rejects(stage.call('notify', 'removed', DEVICE_TOKEN, payload), {
      faultCode: 404,
    })
  })

  it('says what became of a notification: accepted, or rejected with Apple’s reason', async () => {
    await stage.provision('told')
    const { apnsId, deviceToken } = await notify('told')
    const accepted = await get(`/v1/notifications/${apnsId}`)
    const { enqueuedAt, batch, ...rest } = accepted
    assert.deepEqual(rest, {
      apnsId,
      app: 'told',
      token: deviceToken,
      state: 'accepted',
      attempts: 1,
      status: null,
      reason: null,
      timestamp: null,
      wrongEnvironment: false,
      nextAttempt: null,
    })
    assert.ok(Date.parse(String(enqueuedAt)) <= Date.now())
    assert.equal(typeof batch, 'string')
    assert.deepEqual(await get(`/v1/notifications/${apnsId.toUpperCase()}`), accepted)

    const dead = 'de'.repeat(32)
    const diedAt = Date.UTC(2026, 0, 2, 3, 4, 5)
    stage.simulator.killDevice(dead, { timestampMs: diedAt })
    const answersBefore = stage.simulator.totals.answers
    await stage.call('notify', 'told', dead, payload)
    await stage.simulator.waitForAnswers(answersBefore + 1)
    const refused = stage.simulator.answers().at(-1)?.apnsId ?? ''
    await stage.outcome(refused)
    const rejected = await get(`/v1/notifications/${refused}`)
    assert.deepEqual(
      [rejected['state'], rejected['status'], rejected['reason'], rejected['timestamp']],
      ['rejected', 410, 'Unregistered', new Date(diedAt).toISOString()],
    )
    assert.equal(rejected['token'], dead)
  })

  it('answers with problem details where there is nothing', async () => {
    for (const id of ['123e4567-e89b-42d3-a456-426600000000', 'no-id', 'x'.repeat(90)])
      problem(await send('GET', `/v1/notifications/${id}`), 'unknown-notification')
    problem(await send('GET', '/v1/apps/nobody'), 'unknown-app')
    problem(await send('GET', '/v1/nothing'), 'unknown-path')
    problem(await send('GET', '/v1/apps/%zz'), 'malformed-request')
    problem(await send('GET', `/v1/apps/${'x'.repeat(5000)}`), 'malformed-request')
    problem(await send('PATCH', '/v1/apps/nobody', {}), 'unknown-path')
  })

  it('takes as long a name of an app as XML-RPC does', async () => {
    const appId = 'ä'.repeat(200)
    await stage.provision(appId)
    assert.equal((await shownApp(encodeURIComponent(appId)))['app'], appId)
  })

  it('says what is wrong with a body, and leaves the app as it was', async () => {
    const good = tokenApp()
    await send('PUT', '/v1/apps/kept', good)
    const kept = await shownApp('kept')
    const { credential } = good
    const { key, keyId, teamId } = credential
    const mistaken: [unknown, ErrorCode, RegExp][] = [
      ['{"environment": "sandb', 'malformed-request', /is not JSON/],
      ['', 'malformed-request', /There is no body/],
      ['[]', 'invalid-argument', /body must be object/],
      [{ ...good, badge: 1 }, 'invalid-argument', /additional properties: badge/],
      [
        { ...good, credential: { ...credential, pem: 'x' } },
        'invalid-argument',
        /\/credential must NOT have additional properties: pem/,
      ],
      [{ topic: TOPIC, credential }, 'invalid-argument', /required property 'environment'/],
      [{ ...good, topic: 7 }, 'invalid-argument', /\/topic must be string/],
      [{ ...good, credential: { type: 'password' } }, 'invalid-argument', /\/credential .*type/],
      [
        { ...good, credential: { type: 'token', key, keyId } },
        'invalid-argument',
        /\/credential must have required property 'teamId'/,
      ],
      [{ ...good, environment: 'staging' }, 'invalid-environment', /`staging`/],
      [{ environment: 'sandbox', credential }, 'invalid-argument', /needs a topic/],
      [
        { ...good, credential: { type: 'token', key: key.slice(0, 90), keyId, teamId } },
        'key-unreadable',
        /cut off/,
      ],
      [
        { ...good, credential: { type: 'certificate', pem: key } },
        'certificate-missing',
        /no certificate/,
      ],
    ]
    for (const [body, code, detail] of mistaken) {
      const answer = await send('PUT', '/v1/apps/kept', body)
      assert.match(problem(answer, code).detail, detail)
      assert.equal(answer.text.includes(key.split('\n')[1] ?? ''), false)
    }
    for (const type of ['application/x-www-form-urlencoded', 'text/plain', 'text/xml']) {
      const answer = await send('PUT', '/v1/apps/kept', good, { 'content-type': type })
      assert.match(problem(answer, 'malformed-request').detail, /Content-Type/)
    }
    assert.deepEqual(await shownApp('kept'), kept)
    await stillServes()
  })

  it('refuses a body that is too large without reading all of it', async () => {
    const answer = await send('PUT', '/v1/apps/large', ' '.repeat(2 * 1024 * 1024))
    problem(answer, 'request-too-large')
    await stillServes()
  })

  it('refuses what a browser sends for a page, at every door, and does nothing of it', async () => {
    const { port } = new URL(stage.daemon.url)
    const xml = `<methodCall><methodName>system.listMethods</methodName></methodCall>`
    const foreign: Record<string, string>[] = [
      { origin: 'https://example.com' },
      { origin: 'null' },
      { origin: stage.daemon.url },
      { host: `attacker.example:${port}` },
      { host: 'localhost.attacker.example' },
    ]
    for (const headers of foreign) {
      const answers = [
        await send('PUT', '/v1/apps/browser', tokenApp(), headers),
        await send('GET', '/v1/apps', undefined, headers),
        await send('GET', '/nowhere', undefined, headers),
      ]
      for (const answer of answers) problem(answer, 'forbidden-origin')
      const call = await send('POST', '/', xml, { 'content-type': 'text/xml', ...headers })
      assert.equal(call.status, 403, JSON.stringify(headers))
    }
    problem(await send('GET', '/v1/apps/browser'), 'unknown-app')
    for (const host of [`LocalHost:${port}`, '127.0.0.1', `[::1]:${port}`])
      assert.equal((await send('GET', '/healthz', undefined, { host })).status, 200, host)
    await stillServes()
  })

  it('goes on after bodies at the XML-RPC door that are no calls', async () => {
    const mistaken = ['', '<methodCall>', '{"json": true}', '<a><b></a>', '\0\0\0', '<?xml?>']
    for (const body of mistaken) {
      const { status, type, text } = await send('POST', '/', body, { 'content-type': 'text/xml' })
      assert.equal(status, 200)
      assert.match(type, /^text\/xml\b/)
      assert.match(text, /<fault>.*<int>8002<\/int>/s)
    }
    await stillServes()
  })
})
