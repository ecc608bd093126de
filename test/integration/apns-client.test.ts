import assert from 'node:assert/strict'
import { type AddressInfo, createServer } from 'node:net'
import { after, afterEach, before, describe, it } from 'node:test'
import {
  ApnsClient,
  type ApnsClientOptions,
  type ClientEvent,
  ConnectError,
  InDoubtError,
  NotProcessedError,
  type SendResult,
} from '@apnsd/apns'
import type { Simulator } from '@apnsd/simulator'
import { apnsIdOf, ClientStage, NOTIFICATION, TOPIC } from '../support/client-stage.ts'
import { TcpGate } from '../support/tcp-gate.ts'

describe('ApnsClient against the simulator', () => {
  let stage: ClientStage
  let simulator: Simulator

  before(async () => {
    stage = await ClientStage.open()
    simulator = stage.simulator
  })
  after(() => stage.close())
  afterEach(() => stage.reset())

  const createClient = (options: Partial<ApnsClientOptions> = {}): ApnsClient =>
    stage.createClient(options).client

  const countOf = (results: SendResult[], type: SendResult['type']): number =>
    results.filter((result) => result.type === type).length

  it('sends with a certificate', async () => {
    const answer = await createClient().send(NOTIFICATION)
    assert.equal(answer.type, 'accepted')
    const [taken] = simulator.notifications()
    assert.equal(taken?.apnsId, answer.apnsId)
    assert.equal(taken.headers['apns-topic'], TOPIC)
    assert.equal(taken.headers['authorization'], undefined)
  })

  it('writes a payload as JSON, and takes the topic from the certificate', async () => {
    const { deviceToken } = NOTIFICATION
    const client = createClient()
    const payload = { aps: { alert: 'Grüße 👋' } }
    await client.send({ deviceToken, pushType: 'alert', payload })
    await client.send({ deviceToken, pushType: 'voip', payload: Buffer.from('{"aps":{}}') })
    const [alert, voip] = simulator.notifications()
    assert.deepEqual(alert?.payload, payload)
    assert.equal(alert.headers['apns-topic'], TOPIC)
    assert.match(alert.apnsId, /^[0-9a-f]{8}-/)
    assert.deepEqual(voip?.payload, { aps: {} })
    assert.equal(voip.headers['apns-topic'], `${TOPIC}.voip`)
    const withKey = createClient({ credential: stage.issueKey() })
    await assert.rejects(withKey.send({ deviceToken, pushType: 'alert', payload }), /the topic/)
  })

  it('sends with a provider token, first one alone and then many at a time', async () => {
    const client = createClient({ credential: stage.issueKey() })
    const results = await stage.submit(client, 500)
    assert.equal(countOf(results, 'accepted'), 500)
    const [connection] = simulator
      .connections()
      .filter(({ closed }) => !closed)
      .slice(-1)
    assert.equal(connection?.streamLimit, 1000)
  })

  it('gives a rejection back as Apple’s answer', async () => {
    simulator.killDevice('cd'.repeat(32), { timestampMs: 1_700_000_000_000 })
    const answer = await createClient().send({ ...NOTIFICATION, deviceToken: 'cd'.repeat(32) })
    assert.partialDeepStrictEqual(answer, {
      type: 'rejected',
      status: 410,
      reason: 'Unregistered',
      timestampMs: 1_700_000_000_000,
    })
  })

  it('keeps below a stream limit that falls, and follows it up again', async () => {
    const client = createClient()
    await client.connect()
    simulator.play({
      rules: [
        { times: 1, do: { type: 'streamLimit', limit: 1 } },
        { match: { nth: 20 }, times: 1, do: { type: 'streamLimit', limit: 100 } },
      ],
    })
    const results = await stage.submit(client, 300)
    assert.equal(countOf(results, 'accepted'), 300)
  })

  it('sends again what the peer refused to process', async () => {
    simulator.play({ rules: [{ times: 3, do: { type: 'refuseStream' } }] })
    const results = await stage.submit(createClient(), 10)
    assert.equal(countOf(results, 'accepted'), 10)
    assert.equal(simulator.notifications().length, 10)
  })

  it('gives up on what the peer refuses time and again', async () => {
    simulator.play({ rules: [{ do: { type: 'refuseStream' } }] })
    await assert.rejects(createClient().send(NOTIFICATION), NotProcessedError)
  })

  for (const lastStream of ['this', 'previous'] as const)
    it(`loses and doubles nothing at a GOAWAY whose last stream is the ${lastStream} one`, async () => {
      const { client, events } = stage.createClient()
      await client.send(NOTIFICATION)
      simulator.clearNotifications()
      simulator.play({
        rules: [
          { match: { nth: 5 }, times: 1, do: { type: 'goaway', reason: 'Shutdown', lastStream } },
        ],
      })
      const results = await stage.submit(client, 100)
      assert.equal(countOf(results, 'accepted'), 100)
      const ids = simulator.notifications().map(({ apnsId }) => apnsId)
      assert.equal(new Set(ids).size, ids.length)
      assert.equal(ids.length, 100)
      assert.ok(
        events.all.some(
          (event) => event.type === 'disconnected' && event.cause.message.includes('Shutdown'),
        ),
      )
    })

  it('says that a notification is in doubt when the connection is lost before the answer', async () => {
    const client = createClient()
    await client.send(NOTIFICATION)
    simulator.play({ rules: [{ times: 1, do: { type: 'closeConnection' } }] })
    await assert.rejects(client.send(NOTIFICATION), InDoubtError)
    assert.equal((await client.send(NOTIFICATION)).type, 'accepted')
  })

  it('settles each once when a connection is lost with all its streams taken and thousands waiting', async () => {
    const gate = await TcpGate.open(Number(new URL(simulator.url).port))
    simulator.play({ rules: [{ do: { type: 'noAnswer' } }] })
    const { client, events } = stage.createClient({ url: `https://localhost:${gate.port}` })
    const results: string[] = []
    const settled = Promise.withResolvers<void>()
    client.submit({
      length: 20_000,
      take: (index) => {
        // the last stream that the peer's limit allows
        if (index === 999) setImmediate(() => gate.close())
        return {
          ...NOTIFICATION,
          apnsId: apnsIdOf(index),
        }
      },
      settled: (index, { type }) => {
        assert.equal(results[index], undefined)
        results[index] = type
        if (results.length === 20_000 && !results.includes(undefined as never)) settled.resolve()
      },
    })
    await events.until(({ type }) => type === 'disconnected')
    await client.close(0)
    await settled.promise
    assert.equal(results.filter((type) => type === 'inDoubt').length, 1000)
    assert.equal(results.filter((type) => type === 'notProcessed').length, 19_000)
  })

  it('says that a notification is in doubt when no answer comes in time', async () => {
    const client = createClient({ timings: { requestTimeoutMs: 50 } })
    await client.connect()
    simulator.play({ rules: [{ times: 1, do: { type: 'noAnswer' } }] })
    await assert.rejects(client.send(NOTIFICATION), InDoubtError)
    assert.equal((await client.send(NOTIFICATION)).type, 'accepted')
  })

  it('replaces a connection on which request after request goes unanswered', async () => {
    const client = createClient({ timings: { requestTimeoutMs: 50 } })
    await client.send(NOTIFICATION)
    simulator.play({ rules: [{ times: 3, do: { type: 'noAnswer' } }] })
    const results = await stage.submit(client, 3)
    assert.equal(countOf(results, 'inDoubt'), 3)
    await client.send(NOTIFICATION)
    const [first, second] = simulator.notifications()
    assert.notEqual(first?.connection, second?.connection)
  })

  it('destroys a connection whose peer does not answer a PING, and makes another', async () => {
    const gate = await TcpGate.open(Number(new URL(simulator.url).port))
    try {
      const disconnected = Promise.withResolvers<ClientEvent>()
      const client = createClient({
        url: `https://127.0.0.1:${gate.port}`,
        timings: { pingIntervalMs: 20, pingTimeoutMs: 20 },
        onEvent: (event) => {
          if (event.type === 'disconnected') disconnected.resolve(event)
        },
      })
      await client.send(NOTIFICATION)
      gate.shut()
      const event = await disconnected.promise
      assert.match(event.type === 'disconnected' ? event.cause.message : '', /PING/)
      gate.open()
      assert.equal((await client.send(NOTIFICATION)).type, 'accepted')
    } finally {
      gate.close()
    }
  })

  it('gives up on a peer that takes the connection and never speaks, and tries again', async () => {
    const sockets = new Set<{ destroy(): void }>()
    const server = createServer((socket) => sockets.add(socket.on('error', () => undefined)))
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const disconnected = Promise.withResolvers<ClientEvent>()
    const client = createClient({
      url: `https://127.0.0.1:${(server.address() as AddressInfo).port}`,
      timings: { connectTimeoutMs: 30 },
      onEvent: disconnected.resolve,
    })
    const connecting = client.connect()
    const event = await disconnected.promise
    assert.ok(event.type === 'disconnected' && event.retryInMs !== null && event.retryInMs <= 1000)
    await client.close()
    await assert.rejects(connecting, ConnectError)
    for (const socket of sockets) socket.destroy()
    server.close()
  })

  it('does not trust a server whose authority it was not told of', async () => {
    const disconnected = Promise.withResolvers<ClientEvent>()
    const client = createClient({ ca: undefined, onEvent: disconnected.resolve })
    void client.connect().catch(() => undefined)
    const event = await disconnected.promise
    assert.match(event.type === 'disconnected' ? event.cause.message : '', /certificate/)
  })

  it('gives back what was not sent when it is closed, and waits for the answers to what was', async () => {
    const client = createClient()
    await client.connect()
    simulator.play({
      rules: [
        { times: 1, do: { type: 'streamLimit', limit: 1 } },
        { do: { type: 'delay', ms: 30 } },
      ],
    })
    const first = client.send(NOTIFICATION)
    await first
    const submitted = stage.submit(client, 50)
    await client.close()
    const results = await submitted
    assert.equal(countOf(results, 'inDoubt'), 0)
    assert.equal(countOf(results, 'accepted') + countOf(results, 'notProcessed'), 50)
    assert.equal(simulator.notifications().length - 1, countOf(results, 'accepted'))
    await assert.rejects(client.send(NOTIFICATION), NotProcessedError)
  })

  it('begins a new connection with a fresh provider token after ExpiredProviderToken', async () => {
    let nowMs = Date.now() - 2 * 3_600_000
    const client = createClient({
      credential: stage.issueKey(),
      now: () => nowMs,
    })
    const stale = await client.send(NOTIFICATION)
    assert.ok(stale.type === 'rejected' && stale.reason === 'ExpiredProviderToken')
    nowMs = Date.now()
    assert.equal((await client.send(NOTIFICATION)).type, 'accepted')
  })
})
