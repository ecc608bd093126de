import assert from 'node:assert/strict'
import { after, afterEach, before, describe, it } from 'node:test'
import {
  ApnsClient,
  ConnectLimiter,
  CredentialRefusedError,
  NotProcessedError,
  readCertificate,
  readSigningKey,
  type SendResult,
} from '@apnsd/apns'
import type { Simulator } from '@apnsd/simulator'
import { apnsIdOf, ClientStage, NOTIFICATION } from '../support/client-stage.ts'
import { missing } from '../support/system-parts.ts'
import { TcpGate } from '../support/tcp-gate.ts'
import { startTlsRefuser } from '../support/tls-refuser.ts'

const STREAM_LIMIT = 5

describe('the pool of a client', () => {
  let stage: ClientStage
  let simulator: Simulator

  before(async () => {
    stage = await ClientStage.open({ streamLimit: STREAM_LIMIT })
    simulator = stage.simulator
  })
  after(() => stage.close())
  afterEach(() => stage.reset())

  /** Submits without end until told to stop; each settled notification makes place for another. */
  function keepBusy(client: ApnsClient, atOnce: number) {
    const results: SendResult[] = []
    let isOver = false
    let sent = 0
    const submitOne = (): void => {
      const apnsId = apnsIdOf(sent)
      sent += 1
      client.submit({
        length: 1,
        take: () => ({ ...NOTIFICATION, apnsId }),
        settled: (_index, result) => {
          results.push(result)
          if (!isOver) submitOne()
          else if (results.length === sent) done.resolve()
        },
      })
    }
    const done = Promise.withResolvers<void>()
    for (let n = 0; n < atOnce; n += 1) submitOne()
    const stop = async (): Promise<SendResult[]> => {
      isOver = true
      await done.promise
      return results
    }
    return { stop }
  }

  const openConnections = () => simulator.connections().filter(({ closed }) => !closed)

  it('grows while all its connections are full and more waits, up to its bound', async () => {
    simulator.play({ rules: [{ do: { type: 'delay', ms: 40 } }] })
    const { client, events } = stage.createClient({ maxConnections: 3 })
    const work = keepBusy(client, 10 * STREAM_LIMIT)
    await events.until((event) => event.type === 'connected' && event.connections === 3)
    // all of them are full now: whatever comes, there is no fourth
    await simulator.waitForAnswers(simulator.totals.answers + 20 * STREAM_LIMIT)
    assert.equal(client.connections, 3)
    const results = await work.stop()
    assert.ok(results.every(({ type }) => type === 'accepted'))
    const connections = new Set(simulator.notifications().map(({ connection }) => connection))
    assert.equal(connections.size, 3)
  })

  it('keeps to one connection while that has room', async () => {
    simulator.play({ rules: [{ do: { type: 'delay', ms: 20 } }] })
    const { client, events } = stage.createClient()
    const work = keepBusy(client, STREAM_LIMIT)
    await simulator.waitForNotifications(10 * STREAM_LIMIT)
    await work.stop()
    assert.equal(events.all.length, 1)
  })

  it('does not grow to evade a peer that holds it down to one request at a time', async () => {
    simulator.play({
      rules: [
        { times: 1, do: { type: 'streamLimit', limit: 1 } },
        { do: { type: 'delay', ms: 10 } },
      ],
    })
    const { client } = stage.createClient()
    const work = keepBusy(client, 20)
    await simulator.waitForNotifications(30)
    assert.equal(client.connections, 1)
    await work.stop()
  })

  it('goes on over another connection when a peer takes no more requests on the one it has', async () => {
    const { client } = stage.createClient({ maxConnections: 2 })
    simulator.play({ rules: [{ times: 1, do: { type: 'streamLimit', limit: 0 } }] })
    // the limit comes with the first answer
    for (let n = 0; n < 3; n += 1) {
      const { type } = await client.send({ ...NOTIFICATION, apnsId: apnsIdOf(n) })
      assert.equal(type, 'accepted')
    }
    const connections = new Set(simulator.notifications().map(({ connection }) => connection))
    assert.equal(connections.size, 2)
  })

  it('waits for the answer to its first request, where that is all the peer allows', async () => {
    simulator.play({ rules: [{ times: 1, do: { type: 'delay', ms: 150 } }] })
    const { client, events } = stage.createClient({ credential: stage.issueKey() })
    const work = keepBusy(client, 10 * STREAM_LIMIT)
    await simulator.waitForNotifications(1)
    // longer than it takes to grow, with all the rest waiting
    assert.equal(events.all.filter(({ type }) => type === 'connected').length, 1)
    const results = await work.stop()
    assert.ok(results.every(({ type }) => type === 'accepted'))
  })

  it('shrinks when less is to be done, and never below one', async () => {
    simulator.play({ rules: [{ do: { type: 'delay', ms: 40 } }] })
    const { client, events } = stage.createClient({ maxConnections: 3, shrinkIntervalMs: 300 })
    const work = keepBusy(client, 10 * STREAM_LIMIT)
    await events.until((event) => event.type === 'connected' && event.connections === 3)
    await work.stop()
    await events.until((event) => event.type === 'retired' && event.connections === 1)
    assert.equal(client.connections, 1)
    assert.equal((await client.send(NOTIFICATION)).type, 'accepted')
  })

  it('goes on over the others when one connection ends', async () => {
    simulator.play({ rules: [{ do: { type: 'delay', ms: 40 } }] })
    const { client, events } = stage.createClient({ maxConnections: 2 })
    const work = keepBusy(client, 10 * STREAM_LIMIT)
    await events.until((event) => event.type === 'connected' && event.connections === 2)
    simulator.play({
      rules: [
        { times: 1, do: { type: 'goaway', reason: 'Shutdown', lastStream: 'this' } },
        { do: { type: 'delay', ms: 40 } },
      ],
    })
    const lost = await events.until(({ type }) => type === 'disconnected')
    assert.ok(lost.type === 'disconnected' && lost.connections === 1 && lost.retryInMs === null)
    assert.match(lost.cause.message, /Shutdown/)
    // and it is replaced, since the other one is full
    await events.until((event) => event.type === 'connected' && event.connections === 2, lost)
    const results = await work.stop()
    assert.ok(results.every(({ type }) => type === 'accepted'))
    const ids = simulator.notifications().map(({ apnsId }) => apnsId)
    assert.equal(new Set(ids).size, ids.length)
  })

  it('changes its credential live: a new connection first, then the old one drains, and nothing is lost', async () => {
    simulator.play({ rules: [{ do: { type: 'delay', ms: 10 } }] })
    const { client, events } = stage.createClient({ maxConnections: 1 })
    const work = keepBusy(client, 2 * STREAM_LIMIT)
    await simulator.waitForNotifications(1)
    await client.useCredential(stage.issueKey())
    await simulator.waitForNotifications(simulator.notifications().length + 4 * STREAM_LIMIT)
    const results = await work.stop()
    assert.ok(results.every(({ type }) => type === 'accepted'))
    assert.deepEqual(
      events.all.map(({ type }) => type),
      ['connected', 'connected', 'retired'],
    )
    const withToken = simulator.notifications().map(({ headers }) => 'authorization' in headers)
    assert.ok(withToken.at(-1))
    assert.ok(withToken.lastIndexOf(false) < withToken.length - 2 * STREAM_LIMIT)
    assert.equal(openConnections().length, 1)
  })

  it('uses another credential at once where it has no connection', async () => {
    const { key, teamId } = simulator.issueKey()
    const stranger = readSigningKey(key, 'STRANGER00', teamId)
    const { client } = stage.createClient({ credential: stranger })
    await client.useCredential(stage.issueKey())
    assert.equal((await client.send(NOTIFICATION)).type, 'accepted')
  })

  it('goes on with the old certificate when the new one is refused in the handshake', {
    skip: missing('python3'),
  }, async () => {
    const refuser = await startTlsRefuser(simulator)
    const gate = await TcpGate.open(Number(new URL(simulator.url).port))
    try {
      const { client, events } = stage.createClient({ url: `https://127.0.0.1:${gate.port}` })
      await client.send(NOTIFICATION)
      gate.redirect(refuser.port)
      const { pem } = simulator.issueCertificate({ topic: 'com.example.other' })
      const other = readCertificate(pem, Date.now())
      await assert.rejects(client.useCredential(other), CredentialRefusedError)
      assert.equal(client.connections, 1)
      assert.ok(!events.all.some(({ type }) => type === 'refused'))
      assert.equal((await client.send(NOTIFICATION)).type, 'accepted')
      // a later connection is made with the old one, too: the other is not good for this topic
      gate.redirect(Number(new URL(simulator.url).port))
      simulator.play([{ times: 1, do: { type: 'goaway', lastStream: 'this' } }])
      await client.send(NOTIFICATION)
      await events.until(({ type }) => type === 'disconnected')
      assert.equal((await client.send(NOTIFICATION)).type, 'accepted')
    } finally {
      gate.close()
      refuser.stop()
    }
  })

  it('gives back in time, too, what was refused once and found no other connection', async () => {
    const gate = await TcpGate.open(Number(new URL(simulator.url).port))
    try {
      simulator.play([{ times: 1, do: { type: 'goaway', lastStream: 'previous' } }])
      const { client, events } = stage.createClient({
        url: `https://127.0.0.1:${gate.port}`,
        waitTimeoutMs: 100,
        random: () => 1,
      })
      await client.connect()
      gate.redirect(1) // nobody listens there
      await assert.rejects(client.send(NOTIFICATION), { code: 'not-processed', message: /100 ms/ })
      await events.until(({ type }) => type === 'disconnected')
    } finally {
      gate.close()
    }
  })

  it('says that it is closed to whoever wants to connect or change something', async () => {
    const { client } = stage.createClient()
    await client.connect()
    await client.close()
    await assert.rejects(client.connect(), { code: 'connect-failed' })
    await assert.rejects(client.useCredential(stage.issueKey()), { code: 'connect-failed' })
    await assert.rejects(client.send(NOTIFICATION), NotProcessedError)
    await client.close()
  })

  it('goes on over the connections it has when another is refused the same certificate', {
    skip: missing('python3'),
  }, async () => {
    const refuser = await startTlsRefuser(simulator)
    const gate = await TcpGate.open(Number(new URL(simulator.url).port))
    try {
      simulator.play({ rules: [{ do: { type: 'delay', ms: 40 } }] })
      const { client, events } = stage.createClient({ url: `https://127.0.0.1:${gate.port}` })
      await client.connect()
      gate.redirect(refuser.port)
      const work = keepBusy(client, 10 * STREAM_LIMIT)
      const lost = await events.until(({ type }) => type === 'disconnected')
      assert.ok(lost.type === 'disconnected' && lost.cause instanceof CredentialRefusedError)
      assert.equal(lost.connections, 1)
      const results = await work.stop()
      assert.ok(results.every(({ type }) => type === 'accepted'))
    } finally {
      gate.close()
      refuser.stop()
    }
  })

  it('that was refused says so, until it is given a credential that is taken', {
    skip: missing('python3'),
  }, async () => {
    const refuser = await startTlsRefuser(simulator)
    const gate = await TcpGate.open(refuser.port)
    try {
      const { client, events } = stage.createClient({ url: `https://127.0.0.1:${gate.port}` })
      await assert.rejects(client.connect(), CredentialRefusedError)
      await assert.rejects(client.connect(), CredentialRefusedError)
      await assert.rejects(client.send(NOTIFICATION), NotProcessedError)
      assert.equal(events.all.filter(({ type }) => type === 'refused').length, 1)
      gate.redirect(Number(new URL(simulator.url).port))
      await client.useCredential(stage.issueKey())
      assert.equal((await client.send(NOTIFICATION)).type, 'accepted')
    } finally {
      gate.close()
      refuser.stop()
    }
  })

  it('takes its turn among all clients of the process that share a limiter', async () => {
    let turns = 0
    class OneAtATime extends ConnectLimiter {
      override takeTurn(): number {
        turns += 1
        return turns === 1 ? 0 : 30
      }
    }
    const limiter = new OneAtATime()
    const pair = [stage.createClient({ limiter }), stage.createClient({ limiter })]
    await Promise.all(pair.map(({ client }) => client.connect()))
    assert.equal(turns, 2)
  })

  it('lets whoever sends wait for room, so that no more than a bound lies in memory', async () => {
    const { client } = stage.createClient({ maxWaiting: 10, maxConnections: 1 })
    let most = 0
    const answers: Promise<unknown>[] = []
    for (let n = 0; n < 200; n += 1) {
      await client.room()
      answers.push(client.send(NOTIFICATION))
      most = Math.max(most, client.waiting)
    }
    await Promise.all(answers)
    assert.equal(most, 10)
    assert.equal(client.waiting, 0)
  })

  it('gives back what found no connection in time, and never later than what was asked', async () => {
    const { client } = stage.createClient({
      url: 'https://127.0.0.1:1',
      waitTimeoutMs: 50,
      random: () => 0,
    })
    const submitted = Promise.withResolvers<SendResult>()
    client.submit({
      length: 1,
      take: () => ({ ...NOTIFICATION, apnsId: apnsIdOf(1) }),
      settled: (_index, result) => submitted.resolve(result),
    })
    await assert.rejects(client.send(NOTIFICATION), (error) => {
      assert.ok(error instanceof NotProcessedError)
      assert.match(error.message, /50 ms/)
      return true
    })
    assert.equal(client.waiting, 1) // what was submitted waits for its owner
    await client.close()
    assert.equal((await submitted.promise).type, 'notProcessed')
  })
})
