import assert from 'node:assert/strict'
import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import type { AddressInfo } from 'node:net'
import { connect, createServer, type Server, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { after, afterEach, before, describe, it } from 'node:test'
import {
  createServer as createTlsServer,
  type TLSSocket,
  type TlsOptions,
  type Server as TlsServer,
} from 'node:tls'
import { promisify } from 'node:util'
import {
  ApnsClient,
  type ClientEvent,
  ConnectError,
  type Lookup,
  readCertificate,
} from '@apnsd/apns'
import { Simulator } from '@apnsd/simulator'
import { orderAddresses } from '../../packages/apns/src/tls/addresses.ts'
import { type DialOptions, dial } from '../../packages/apns/src/tls/dial.ts'
import { TlsContext } from '../../packages/apns/src/tls/tls-context.ts'
import { EventLog } from '../support/event-log.ts'
import { missing } from '../support/system-parts.ts'

const ROOT = new URL('../..', import.meta.url).pathname
const HOST = 'push.example.com'
const never = new AbortController().signal

describe('dialling', () => {
  let simulator: Simulator
  let context: TlsContext
  const servers = new Set<Server>()
  const sockets = new Set<Socket>()

  before(async () => {
    simulator = await Simulator.start()
    context = new TlsContext({ extraCa: [simulator.authority.certificatePem] })
  })
  after(() => simulator.close())
  afterEach(() => {
    for (const server of servers) server.close()
    for (const socket of sockets) socket.destroy()
    servers.clear()
    sockets.clear()
  })

  async function listen(server: Server, address = '127.0.0.1', port = 0): Promise<number> {
    servers.add(server)
    server.on('connection', (socket) => sockets.add(socket.on('error', () => undefined)))
    await new Promise<void>((resolve) => server.listen(port, address, resolve))
    return (server.address() as AddressInfo).port
  }

  function createServerFor(host: string, options: TlsOptions = {}): TlsServer {
    const { certificatePem, privateKeyPem } = simulator.authority.issueServerCertificate(host)
    const server = createTlsServer({
      cert: certificatePem,
      key: privateKeyPem,
      ALPNProtocols: ['h2'],
      ...options,
    })
    server.on('tlsClientError', () => undefined)
    server.on('secureConnection', (socket) => socket.on('error', () => undefined))
    return server
  }

  const to =
    (...addresses: string[]): Lookup =>
    () =>
      Promise.resolve(
        addresses.map((address) => ({ address, family: address.includes(':') ? 6 : 4 })),
      )

  async function dialTo(port: number, options: Partial<DialOptions> = {}) {
    const url = new URL(`https://${HOST}:${port}`)
    const dialled = await dial({ url, context, proxy: null, signal: never, ...options })
    sockets.add(dialled.socket.on('error', () => undefined))
    return dialled
  }

  it('looks the name up anew each time', async () => {
    const port = await listen(createServerFor(HOST))
    let asked = 0
    const lookup: Lookup = (host) => {
      asked += 1
      assert.equal(host, HOST)
      return to('127.0.0.1')(host)
    }
    await dialTo(port, { lookup })
    await dialTo(port, { lookup })
    assert.equal(asked, 2)
  })

  it('asks the system where it is told nothing else, and takes an address as it is', async () => {
    for (const host of ['localhost', '127.0.0.1']) {
      const port = await listen(createServerFor(host))
      const { address } = await dialTo(port, { url: new URL(`https://${host}:${port}`) })
      assert.equal(address, '127.0.0.1')
    }
    await assert.rejects(
      dialTo(1, { url: new URL('https://no-such-name.invalid') }),
      /ConnectError: the name no-such-name\.invalid cannot be looked up: E/,
    )
  })

  it('takes IPv6, as an address and beside IPv4', async () => {
    const port = await listen(createServerFor(HOST), '::1')
    const { address } = await dialTo(port, { lookup: to('127.0.0.1', '::1') })
    assert.equal(address, '::1')
  })

  it('tries the addresses with the fewest connections first', async () => {
    const port = await listen(createServerFor(HOST), '0.0.0.0')
    const counts: Record<string, number> = { '127.0.0.1': 2, '127.0.0.2': 0, '127.0.0.3': 1 }
    const lookup = to(...Object.keys(counts))
    const connectionsTo = (address: string): number => counts[address] ?? 0
    const { address } = await dialTo(port, { lookup, connectionsTo })
    assert.equal(address, '127.0.0.2')
  })

  it('spreads dials that begin together, and counts them no longer than they last', async () => {
    const port = await listen(createServerFor(HOST), '0.0.0.0')
    const found = ['127.0.0.71', '127.0.0.72', '127.0.0.73', '127.0.0.74']
    const together = await Promise.all(found.map(() => dialTo(port, { lookup: to(...found) })))
    assert.deepEqual(new Set(together.map(({ address }) => address)), new Set(found))
    assert.equal((await dialTo(port, { lookup: to(...found) })).address, found[0])
  })

  it('takes families in turn, and what failed of late last', async () => {
    const found = ['10.0.0.1', '10.0.0.2', 'fd00::1', 'fd00::2'].map((address) => ({
      address,
      family: address.includes(':') ? 6 : 4,
    }))
    assert.deepEqual(
      orderAddresses(found, () => 0),
      ['10.0.0.1', 'fd00::1', '10.0.0.2', 'fd00::2'],
    )
    const port = await listen(createServerFor(HOST), '127.0.0.12')
    const lookup = to('127.0.0.11', '127.0.0.12')
    assert.equal((await dialTo(port, { lookup })).address, '127.0.0.12')
    assert.deepEqual(
      orderAddresses(await lookup(HOST), () => 0),
      ['127.0.0.12', '127.0.0.11'],
    )
  })

  it('goes on to the next address when one refuses, or hangs up within the handshake', async () => {
    const port = await listen(createServerFor(HOST), '127.0.0.23')
    await listen(
      createServer((socket) => socket.once('data', () => socket.resetAndDestroy())),
      '127.0.0.22',
      port,
    )
    const lookup = to('127.0.0.21', '127.0.0.22', '127.0.0.23')
    assert.equal((await dialTo(port, { lookup })).address, '127.0.0.23')
  })

  it('does not wait for an address that never answers', { skip: missing('python3') }, async () => {
    const port = await listen(createServerFor(HOST), '127.0.0.32')
    // a listener whose queue is full drops what comes: as an address behind a dead router
    const program = `
import socket, sys
listener = socket.socket()
listener.bind(('127.0.0.31', int(sys.argv[1])))
listener.listen(0)
full = [socket.socket() for _ in range(4)]
for one in full:
    one.setblocking(False)
    one.connect_ex(listener.getsockname())
print('full', flush=True)
sys.stdin.read()`
    const child = spawn('python3', ['-c', program, String(port)], {
      stdio: ['pipe', 'pipe', 'inherit'],
    })
    try {
      await once(child.stdout, 'data')
      const lookup = to('127.0.0.31', '127.0.0.32')
      assert.equal((await dialTo(port, { lookup })).address, '127.0.0.32')
      const timeUp = AbortSignal.timeout(300)
      await assert.rejects(
        dialTo(port, { lookup: to('127.0.0.31'), signal: timeUp }),
        (error) => error === timeUp.reason,
      )
    } finally {
      child.kill()
    }
  })

  it('names each address and what it said when none can be reached', async () => {
    const port = await listen(
      createServer((socket) => socket.resetAndDestroy()),
      '127.0.0.41',
    )
    await assert.rejects(dialTo(port, { lookup: to('127.0.0.41', '127.0.0.42') }), (error) => {
      assert.ok(error instanceof ConnectError)
      assert.match(error.message, new RegExp(`^${HOST}:${port} cannot be reached: `))
      assert.match(error.message, /127\.0\.0\.41 said ECONNRESET/)
      assert.match(error.message, /127\.0\.0\.42 said ECONNREFUSED/)
      return true
    })
    await assert.rejects(dialTo(port, { lookup: to() }), /has no address/)
  })

  it('ends at a certificate of another name, and does not try its luck elsewhere', async () => {
    const port = await listen(createServerFor('other.example.com'), '127.0.0.51')
    let connections = 0
    await listen(
      createServerFor(HOST).on('connection', () => (connections += 1)),
      '127.0.0.52',
      port,
    )
    await assert.rejects(dialTo(port, { lookup: to('127.0.0.51', '127.0.0.52') }), {
      code: 'ERR_TLS_CERT_ALTNAME_INVALID',
    })
    assert.equal(connections, 0)
  })

  it('wants h2 by ALPN, and TLS 1.2', async () => {
    const lookup = to('127.0.0.1')
    for (const options of [{ ALPNProtocols: ['http/1.1'] }, { ALPNProtocols: [] }]) {
      const port = await listen(createServerFor(HOST, options))
      await assert.rejects(dialTo(port, { lookup }), /./)
    }
    const old = {
      maxVersion: 'TLSv1.1',
      minVersion: 'TLSv1',
      ciphers: 'DEFAULT@SECLEVEL=0',
    } as const
    const oldPort = await listen(createServerFor(HOST, old))
    await assert.rejects(dialTo(oldPort, { lookup }), { code: /PROTOCOL|VERSION/ })
    const port = await listen(createServerFor(HOST, { maxVersion: 'TLSv1.2' }))
    assert.equal((await dialTo(port, { lookup })).socket.getProtocol(), 'TLSv1.2')
  })

  it('sends the name by SNI, and none for an address', async () => {
    const names: (string | false | null)[] = []
    for (const host of [HOST, '127.0.0.1']) {
      const server = createServerFor(host)
      server.on('secureConnection', ({ servername }) => names.push(servername))
      const port = await listen(server)
      const url = new URL(`https://${host}:${port}`)
      await dialTo(port, { url, lookup: to('127.0.0.1') })
      while (names.length === 0) await once(server, 'secureConnection')
    }
    assert.equal(names[0], HOST)
  })

  for (const version of ['TLSv1.2', 'TLSv1.3'] as const)
    for (const withCertificate of [false, true])
      it(`resumes its session by ${version} ${withCertificate ? 'with' : 'without'} a client certificate, time and again`, async () => {
        const { pem } = simulator.issueCertificate({ topic: 'com.example.app' })
        const own = new TlsContext({
          extraCa: [simulator.authority.certificatePem],
          certificate: withCertificate ? readCertificate(pem, null) : null,
        })
        const server = createServerFor(HOST, {
          minVersion: version,
          maxVersion: version,
          requestCert: withCertificate,
          rejectUnauthorized: false,
        })
        // by TLS 1.3 the session comes with the first words of the server
        server.on('secureConnection', (socket: TLSSocket) => socket.write('x'))
        const port = await listen(server)
        const reused: boolean[] = []
        for (let n = 0; n < 3; n += 1) {
          const { socket } = await dialTo(port, { context: own, lookup: to('127.0.0.1') })
          // by TLS 1.3 it comes behind the handshake
          if (n === 0 && version === 'TLSv1.3') await once(socket, 'session')
          reused.push(socket.isSessionReused())
          socket.destroy()
        }
        assert.deepEqual(reused, [false, true, true])
      })

  it('verifies whom it talks to, whatever sessions it has', async () => {
    const server = createServerFor(HOST)
    server.on('secureConnection', (socket: TLSSocket) => socket.write('x'))
    const port = await listen(server)
    const lookup = to('127.0.0.1')
    const { socket } = await dialTo(port, { lookup })
    await once(socket, 'session')
    socket.destroy()
    server.close()
    await once(server, 'close')
    const stranger = await Simulator.start({ control: null })
    try {
      const { certificatePem, privateKeyPem } = stranger.authority.issueServerCertificate(HOST)
      await listen(
        createServerFor(HOST, { cert: certificatePem, key: privateKeyPem }),
        '127.0.0.1',
        port,
      )
      await assert.rejects(dialTo(port, { lookup }), { code: /SELF_SIGNED|UNABLE_TO/ })
      await assert.rejects(dialTo(port, { lookup }), { code: /SELF_SIGNED|UNABLE_TO/ })
    } finally {
      await stranger.close()
    }
  })

  it('trusts the authorities that it was given, and Node’s own besides', async () => {
    const stranger = await Simulator.start({ control: null })
    try {
      const ours = await listen(createServerFor('localhost'))
      const { certificatePem, privateKeyPem } =
        stranger.authority.issueServerCertificate('localhost')
      const theirs = await listen(
        createServerFor('localhost', { cert: certificatePem, key: privateKeyPem }),
      )
      const authority = join(mkdtempSync(join(tmpdir(), 'apnsd-test-')), 'ca.pem')
      writeFileSync(authority, stranger.authority.certificatePem)
      const program = `
        import { dial } from '${ROOT}packages/apns/src/tls/dial.ts'
        import { TlsContext } from '${ROOT}packages/apns/src/tls/tls-context.ts'
        const context = new TlsContext({ extraCa: [process.env.OURS] })
        const { signal } = new AbortController()
        for (const port of [${ours}, ${theirs}]) {
          const url = new URL('https://localhost:' + port)
          const { socket } = await dial({ url, context, proxy: null, signal })
          console.log(socket.authorized)
          socket.destroy()
        }`
      const { stdout } = await promisify(execFile)(
        process.execPath,
        ['--input-type=module', '-e', program],
        {
          env: {
            ...process.env,
            NODE_EXTRA_CA_CERTS: authority,
            OURS: simulator.authority.certificatePem,
          },
        },
      )
      rmSync(dirname(authority), { recursive: true })
      assert.equal(stdout, 'true\ntrue\n')
      await assert.rejects(dialTo(theirs, { url: new URL(`https://localhost:${theirs}`) }))
    } finally {
      await stranger.close()
    }
  })

  it('tells the keys of a connection to who asked for them', async () => {
    const lines: string[] = []
    const own = new TlsContext({
      extraCa: [simulator.authority.certificatePem],
      onKeylog: (line) => lines.push(line.toString()),
    })
    const port = await listen(createServerFor(HOST))
    await dialTo(port, { context: own, lookup: to('127.0.0.1') })
    assert.ok(
      lines.some((line) => /^CLIENT_HANDSHAKE_TRAFFIC_SECRET [0-9a-f]+ [0-9a-f]+\n$/.test(line)),
    )
  })

  it('leaves nothing behind when it is given up, wherever it is', async () => {
    const silent = createServer()
    const port = await listen(silent)
    const giveUp = new AbortController()
    const reason = new Error('given up')
    const dialling = assert.rejects(
      dialTo(port, { lookup: to('127.0.0.1'), signal: giveUp.signal }),
      (error) => error === reason,
    )
    const [socket] = (await once(silent, 'connection')) as [Socket]
    socket.resume()
    giveUp.abort(reason)
    await dialling
    await once(socket, 'close')
    const early = AbortSignal.abort(reason)
    await assert.rejects(
      dialTo(port, { lookup: to('127.0.0.1'), signal: early }),
      (error) => error === reason,
    )
  })

  it('spreads a client’s connections over the addresses of its host', async () => {
    const slow = await Simulator.start({ control: null, streamLimit: 5 })
    slow.play([{ do: { type: 'delay', ms: 40 } }])
    const far = new URL(slow.url)
    // a relay at all addresses, in front of the simulator
    const relay = createServer((near) => {
      const upstream = connect(Number(far.port), far.hostname)
      sockets.add(upstream.on('error', () => undefined))
      near.pipe(upstream).pipe(near)
    })
    const port = await listen(relay, '0.0.0.0')
    const events = new EventLog<ClientEvent>()
    const { pem } = slow.issueCertificate({ topic: 'com.example.app' })
    const client = new ApnsClient({
      url: `https://localhost:${port}`,
      credential: readCertificate(pem, null),
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
