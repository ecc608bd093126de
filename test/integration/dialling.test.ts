import assert from 'node:assert/strict'
import { connect, createServer } from 'node:net'
import { after, afterEach, before, describe, it } from 'node:test'
import {
  ApnsClient,
  type ClientEvent,
  ConnectError,
  type Lookup,
  readCertificate,
} from '@apnsd/apns'
import { Simulator } from '@apnsd/simulator'
import { orderAddresses } from '../../packages/apns/src/tls/addresses.ts'
import { ClientStage } from '../support/client-stage.ts'
import { DialStage, HOST, to } from '../support/dial-stage.ts'
import { EventLog } from '../support/event-log.ts'

describe('dialling', () => {
  let stage: DialStage
  before(async () => {
    stage = await DialStage.open()
  })
  afterEach(() => stage.reset())
  after(() => stage.close())

  const orderOf = async (lookup: Lookup): Promise<string[]> =>
    orderAddresses(await lookup(HOST), () => 0)

  it('looks the name up anew each time', async () => {
    const port = await stage.listen(stage.createServerFor(HOST))
    let asked = 0
    const lookup: Lookup = (host) => {
      asked += 1
      assert.equal(host, HOST)
      return to('127.0.0.1')(host)
    }
    await stage.dial(port, { lookup })
    await stage.dial(port, { lookup })
    assert.equal(asked, 2)
  })

  it('asks the system where it is told nothing else, and takes an address as it is', async () => {
    for (const host of ['localhost', '127.0.0.1']) {
      const port = await stage.listen(stage.createServerFor(host))
      const { address } = await stage.dial(port, { url: new URL(`https://${host}:${port}`) })
      assert.equal(address, '127.0.0.1')
    }
    await assert.rejects(
      stage.dial(1, { url: new URL('https://no-such-name.invalid') }),
      /ConnectError: the name no-such-name\.invalid cannot be looked up: E/,
    )
  })

  it('takes IPv6, as an address and beside IPv4', async () => {
    const port = await stage.listen(stage.createServerFor('::1'), '::1')
    const url = new URL(`https://[::1]:${port}`)
    assert.equal((await stage.dial(port, { url })).address, '::1')
    const other = await stage.listen(stage.createServerFor(HOST), '::1')
    const { address } = await stage.dial(other, { lookup: to('127.0.0.1', '::1') })
    assert.equal(address, '::1')
  })

  it('tries the addresses with the fewest connections first', async () => {
    const port = await stage.listen(stage.createServerFor(HOST), '0.0.0.0')
    const counts: Record<string, number> = { '127.0.0.1': 2, '127.0.0.2': 0, '127.0.0.3': 1 }
    const lookup = to(...Object.keys(counts))
    const connectionsTo = (address: string): number => counts[address] ?? 0
    const { address } = await stage.dial(port, { lookup, connectionsTo })
    assert.equal(address, '127.0.0.2')
  })

  it('spreads dials that begin together, of which none is a connection yet', async () => {
    const port = await stage.listen(stage.createServerFor(HOST), '0.0.0.0')
    const addresses = ['127.0.0.5', '127.0.0.6', '127.0.0.7']
    const lookup = to(...addresses)
    const dialled = await Promise.all(addresses.map(() => stage.dial(port, { lookup })))
    assert.deepEqual(new Set(dialled.map(({ address }) => address)), new Set(addresses))
    // none is held any longer
    assert.deepEqual(await orderOf(lookup), addresses)
  })

  it('takes families in turn', () => {
    const found = ['10.0.0.1', '10.0.0.2', 'fd00::1', 'fd00::2'].map((address) => ({
      address,
      family: address.includes(':') ? 6 : 4,
    }))
    assert.deepEqual(
      orderAddresses(found, () => 0),
      ['10.0.0.1', 'fd00::1', '10.0.0.2', 'fd00::2'],
    )
  })

  it('tries what failed of late behind all others, whatever its family', async () => {
    const port = await stage.listen(stage.createServerFor(HOST), '127.0.0.12')
    // nobody is at the first two
    const lookup = to('127.0.0.11', '::1', '127.0.0.12')
    assert.equal((await stage.dial(port, { lookup })).address, '127.0.0.12')
    assert.deepEqual(await orderOf(to('127.0.0.11', '::1', '127.0.0.12', '127.0.0.13')), [
      '127.0.0.12',
      '127.0.0.13',
      '127.0.0.11',
      '::1',
    ])
  })

  it('goes on to the next address when one refuses, or hangs up within the handshake', async () => {
    const port = await stage.listen(stage.createServerFor(HOST), '127.0.0.24')
    const asked: (string | undefined)[] = []
    for (const address of ['127.0.0.22', '127.0.0.23']) {
      const server = createServer((socket) => {
        asked.push(socket.localAddress)
        socket.once('data', () => socket.resetAndDestroy())
      })
      await stage.listen(server, address, port)
    }
    const lookup = to('127.0.0.21', '127.0.0.22', '127.0.0.23', '127.0.0.24')
    assert.equal((await stage.dial(port, { lookup })).address, '127.0.0.24')
    assert.deepEqual(asked, ['127.0.0.22', '127.0.0.23'])
    assert.equal((await orderOf(lookup))[0], '127.0.0.24')
  })

  it('does not wait for an address that never answers, nor begin with it the next time', async () => {
    const port = await stage.listen(stage.createServerFor(HOST), '127.0.0.32')
    await stage.dig('127.0.0.31', port)
    const lookup = to('127.0.0.31', '127.0.0.32')
    assert.equal((await stage.dial(port, { lookup })).address, '127.0.0.32')
    assert.deepEqual(await orderOf(lookup), ['127.0.0.32', '127.0.0.31'])
  })

  it('gives no address up while it may still answer', async () => {
    const port = await stage.listen(createServer(), '127.0.0.30')
    const slow = await stage.dig('127.0.0.33', port)
    await stage.dig('127.0.0.34', port)
    // the first answers only when the second has been tried beside it
    const onStep = (waitingFor: string): void => {
      if (waitingFor.endsWith('at 127.0.0.33 or 127.0.0.34')) slow.takeConnections()
    }
    const lookup = to('127.0.0.33', '127.0.0.34')
    assert.equal((await stage.dial(port, { lookup, onStep })).address, '127.0.0.33')
  })

  it('begins elsewhere when an address took the connection before and never spoke', async () => {
    const port = await stage.listen(stage.createServerFor(HOST), '127.0.0.36')
    await stage.listen(
      createServer((socket) => socket.resume()),
      '127.0.0.35',
      port,
    )
    const lookup = to('127.0.0.35', '127.0.0.36')
    const timeUp = AbortSignal.timeout(400)
    await assert.rejects(
      stage.dial(port, { lookup, signal: timeUp }),
      (error) => error === timeUp.reason,
    )
    assert.equal((await stage.dial(port, { lookup })).address, '127.0.0.36')
  })

  it('names each address and what it said when none can be reached', async () => {
    const port = await stage.listen(
      createServer((socket) => socket.once('data', () => socket.resetAndDestroy())),
      '127.0.0.41',
    )
    await assert.rejects(stage.dial(port, { lookup: to('127.0.0.41', '127.0.0.42') }), (error) => {
      assert.ok(error instanceof ConnectError)
      assert.match(error.message, new RegExp(`^${HOST}:${port} cannot be reached: `))
      assert.match(error.message, /127\.0\.0\.41 said ECONNRESET/)
      assert.match(error.message, /127\.0\.0\.42 said ECONNREFUSED/)
      assert.match((error.cause as NodeJS.ErrnoException).code ?? '', /^ECONN/)
      return true
    })
    // and each once, though the first was tried before the second hung up
    await assert.rejects(stage.dial(port, { lookup: to('127.0.0.42', '127.0.0.41') }), {
      message: `${HOST}:${port} cannot be reached: 127.0.0.42 said ECONNREFUSED, 127.0.0.41 said ECONNRESET`,
    })
    await assert.rejects(stage.dial(port, { lookup: to() }), /has no address/)
  })

  it('that takes too long says what it waited for', async () => {
    const clients = await ClientStage.open()
    try {
      const port = await stage.listen(createServer(), '127.0.0.40')
      await stage.dig('127.0.0.43', port)
      const { client, events } = clients.createClient({
        url: `https://${HOST}:${port}`,
        lookup: to('127.0.0.44', '127.0.0.43'),
        timings: { connectTimeoutMs: 100 },
      })
      void client.connect().catch(() => undefined)
      const event = await events.until(({ type }) => type === 'disconnected')
      assert.ok(event.type === 'disconnected')
      assert.equal(
        event.cause.message,
        `no connection within 100 ms: waited for ${HOST}:${port} to take a connection at 127.0.0.43; 127.0.0.44 said ECONNREFUSED`,
      )
    } finally {
      await clients.close()
    }
  })

  it('spreads a client’s connections over the addresses of its host', async () => {
    const slow = await Simulator.start({ control: null, streamLimit: 5 })
    slow.play([{ do: { type: 'delay', ms: 40 } }])
    const far = new URL(slow.url)
    // a relay at all addresses, in front of the simulator
    const relay = createServer((near) => {
      const upstream = stage.keep(connect(Number(far.port), far.hostname))
      near.pipe(upstream).pipe(near)
    })
    const port = await stage.listen(relay, '0.0.0.0')
    const events = new EventLog<ClientEvent>()
    const client = new ApnsClient({
      url: `https://localhost:${port}`,
      credential: readCertificate(slow.issueCertificate({ topic: 'com.example.app' }).pem),
      ca: [slow.authority.certificatePem],
      lookup: to('127.0.0.61', '127.0.0.62', '127.0.0.63'),
      maxConnections: 3,
      onEvent: (event) => events.push(event),
    })
    client.submit({
      length: 3000,
      take: (index) => ({
        deviceToken: 'ab'.repeat(32),
        payload: '{"aps":{}}',
        topic: 'com.example.app',
        pushType: 'alert',
        apnsId: `00000000-0000-4000-8000-${String(index).padStart(12, '0')}`,
      }),
      settled: () => undefined,
    })
    await events.until((event) => event.type === 'connected' && event.connections === 3)
    await client.close(0)
    await slow.close()
    const addresses = events.all.flatMap((event) =>
      event.type === 'connected' ? [event.address] : [],
    )
    assert.deepEqual(new Set(addresses), new Set(['127.0.0.61', '127.0.0.62', '127.0.0.63']))
  })
})
