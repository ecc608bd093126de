import assert from 'node:assert/strict'
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, afterEach, before, describe, it } from 'node:test'
import { createServer as createTlsServer, type TLSSocket } from 'node:tls'
import {
  ApnsClient,
  type ApnsClientOptions,
  type ClientEvent,
  ConnectError,
  type Credential,
  readCertificate,
  readProxy,
} from '@apnsd/apns'
import { Simulator } from '@apnsd/simulator'
import { to } from '../support/dial-stage.ts'
import { EventLog } from '../support/event-log.ts'
import { freePort, waitForPort } from '../support/ports.ts'
import { createHttpProxy, createHttpsProxy } from '../support/relay-proxy.ts'
import { missing } from '../support/system-parts.ts'
import { startTlsRefuser } from '../support/tls-refuser.ts'

const notification = {
  deviceToken: 'ab'.repeat(32),
  payload: { aps: { alert: 'hi' } },
  topic: 'com.example.app',
  pushType: 'alert',
} as const

describe('a client behind a proxy', () => {
  let simulator: Simulator
  let credential: Credential
  let folder: string
  const clients: ApnsClient[] = []
  const undo: (() => void)[] = []

  before(async () => {
    simulator = await Simulator.start()
    credential = readCertificate(simulator.issueCertificate({ topic: 'com.example.app' }).pem)
    folder = mkdtempSync(join(tmpdir(), 'apnsd-test-'))
  })
  after(async () => {
    await simulator.close()
    rmSync(folder, { recursive: true })
  })
  afterEach(async () => {
    simulator.clearNotifications()
    await Promise.all(clients.splice(0).map((client) => client.close(0)))
    for (const act of undo.splice(0)) act()
  })

  function createClient(proxy: string, options: Partial<ApnsClientOptions> = {}) {
    const events = new EventLog<ClientEvent>()
    const client = new ApnsClient({
      url: simulator.url,
      credential,
      ca: [simulator.authority.certificatePem],
      proxy: readProxy(proxy),
      onEvent: (event) => events.push(event),
      ...options,
    })
    clients.push(client)
    return { client, events }
  }

  /** Sends one notification through a proxy. @param address which the client is to tell that it leads to */
  async function sendThrough(
    proxy: string,
    options: Partial<ApnsClientOptions> = {},
    address: string | null = null,
  ) {
    const { client, events } = createClient(proxy, options)
    assert.equal((await client.send(notification)).type, 'accepted')
    assert.equal(simulator.notifications().length, 1)
    assert.partialDeepStrictEqual(events.all, [{ type: 'connected', address }])
  }

  /** What the client says of a proxy that makes no way. */
  async function failThrough(proxy: string, options: Partial<ApnsClientOptions> = {}) {
    const madeBefore = simulator.connections().length
    const { client, events } = createClient(proxy, { random: () => 1, ...options })
    void client.connect().catch(() => undefined)
    const event = await events.until(({ type }) => type === 'disconnected')
    assert.ok(event.type === 'disconnected')
    assert.ok(event.cause instanceof ConnectError)
    assert.doesNotMatch(event.cause.message, /secret/)
    assert.equal(simulator.connections().length, madeBefore)
    return event.cause.message
  }

  async function listen(server: Server, address = '127.0.0.1'): Promise<number> {
    const sockets = new Set<Socket>()
    server.on('connection', (socket) => sockets.add(socket.on('error', () => undefined)))
    await new Promise<void>((resolve) => server.listen(0, address, resolve))
    undo.push(() => {
      server.close()
      for (const socket of sockets) socket.destroy()
    })
    return (server.address() as AddressInfo).port
  }

  describe('squid', { skip: missing('squid') }, () => {
    let port: number
    let squid: ReturnType<typeof spawn>
    /** Waits for a line of squid's, which it writes some time after the tunnel has ended. */
    async function logged(words: string): Promise<void> {
      for (;;) {
        if (readFileSync(join(folder, 'access.log'), 'utf8').includes(words)) return
        await new Promise((resolve) => setTimeout(resolve, 10))
      }
    }

    before(async () => {
      port = await freePort()
      const hash = execFileSync('openssl', ['passwd', '-apr1', 'secret'], { encoding: 'utf8' })
      writeFileSync(join(folder, 'passwords'), `user:${hash}`)
      writeFileSync(
        join(folder, 'squid.conf'),
        `http_port 127.0.0.1:${port}
        auth_param basic program /usr/lib/squid/basic_ncsa_auth ${join(folder, 'passwords')}
        acl known proxy_auth REQUIRED
        acl forbidden port 9
        http_access deny forbidden
        http_access allow known
        http_access deny all
        access_log stdio:${join(folder, 'access.log')}
        cache_log ${join(folder, 'cache.log')}
        cache deny all
        pid_filename none
        coredump_dir ${folder}
        shutdown_lifetime 0 seconds
        forward_max_tries 1
        `.replaceAll(/^ +/gm, ''),
      )
      // squid, started as root, becomes the user proxy
      execFileSync('chmod', ['-R', 'a+rwX', folder])
      squid = spawn('squid', ['-N', '-f', join(folder, 'squid.conf')], { stdio: 'ignore' })
      await waitForPort(port)
    })
    after(async () => {
      squid.kill('SIGKILL')
      await once(squid, 'close')
    })

    it('lets it through, with a password', async () => {
      await sendThrough(`http://user:secret@127.0.0.1:${port}`)
      await clients[0]?.close()
      await logged(`CONNECT ${new URL(simulator.url).host} user`)
    })

    it('wants a password: the client says so', async () => {
      assert.match(await failThrough(`http://127.0.0.1:${port}`), /wants user and password \(407\)/)
      const message = await failThrough(`http://user:secret2@127.0.0.1:${port}`)
      assert.match(message, /^the http proxy 127\.0\.0\.1:\d+ made no way to 127\.0\.0\.1:\d+: /)
      assert.match(message, /does not take this user and password \(407\)/)
    })

    it('forbids the port, or finds nobody there: the client says what it answered', async () => {
      const proxy = `http://user:secret@127.0.0.1:${port}`
      assert.match(await failThrough(proxy, { url: 'https://127.0.0.1:9' }), /it answered 403/)
      const nobody = await freePort()
      const message = await failThrough(proxy, { url: `https://127.0.0.1:${nobody}` })
      assert.match(message, /it answered 50[0-9]/)
    })
  })

  describe('microsocks', { skip: missing('microsocks') }, () => {
    async function startMicrosocks(...args: string[]): Promise<number> {
      const port = await freePort()
      const child = spawn('microsocks', ['-i', '127.0.0.1', '-p', String(port), ...args], {
        stdio: 'ignore',
      })
      undo.push(() => child.kill('SIGKILL'))
      await waitForPort(port)
      return port
    }

    it('lets it through, by address and by name, looked up here or there', async () => {
      const port = await startMicrosocks()
      await sendThrough(`socks5://127.0.0.1:${port}`, {}, '127.0.0.1')
      const url = `https://localhost:${new URL(simulator.url).port}`
      simulator.clearNotifications()
      await sendThrough(`socks5://127.0.0.1:${port}`, { url }, '127.0.0.1')
      simulator.clearNotifications()
      await sendThrough(`socks5h://127.0.0.1:${port}`, { url })
    })

    it('is asked for one address after the other where names are ours to look up', async () => {
      const proxy = `socks5://127.0.0.1:${await startMicrosocks()}`
      const url = `https://localhost:${new URL(simulator.url).port}`
      // the simulator is at the last one alone
      const lookup = to('127.0.0.71', '127.0.0.72', '127.0.0.1')
      await sendThrough(proxy, { url, lookup }, '127.0.0.1')
      const nobody = to('127.0.0.73', '127.0.0.74')
      const message = await failThrough(proxy, { url, lookup: nobody })
      assert.match(
        message,
        /^localhost:\d+ cannot be reached: the socks5 proxy 127\.0\.0\.1:\d+ made/,
      )
      for (const address of ['127.0.0.73', '127.0.0.74'])
        assert.ok(message.includes(`made no way to ${address}:${new URL(url).port}: it answered`))
    })

    it('lets it through with a password, and not without', async () => {
      const port = await startMicrosocks('-u', 'user', '-P', 'secret')
      await sendThrough(`socks5://user:secret@127.0.0.1:${port}`, {}, '127.0.0.1')
      await clients.pop()?.close()
      assert.match(await failThrough(`socks5://127.0.0.1:${port}`), /wants user and password/)
      const message = await failThrough(`socks5://user:secret2@127.0.0.1:${port}`)
      assert.match(message, /does not take this user and password/)
    })

    it('finds nobody there: the client says what it answered', async () => {
      const port = await startMicrosocks()
      const url = `https://127.0.0.1:${await freePort()}`
      assert.match(
        await failThrough(`socks5://127.0.0.1:${port}`, { url }),
        /^the socks5 proxy .* made no way to .*: it answered: connection refused$/,
      )
    })
  })

  describe('that speaks TLS itself', () => {
    const certificateFor = (host: string): { cert: string; key: string } => {
      const { certificatePem, privateKeyPem } = simulator.authority.issueServerCertificate(host)
      return { cert: certificatePem, key: privateKeyPem }
    }
    const simulatorPort = (): number => Number(new URL(simulator.url).port)

    it('gets its way, and CONNECT names the port', async () => {
      const requests: string[] = []
      const proxy = createHttpsProxy(simulatorPort(), certificateFor('127.0.0.1'), (head) =>
        requests.push(head),
      )
      const address = `https://us%3Aer:secret@127.0.0.1:${await listen(proxy)}`
      await sendThrough(address, { url: 'https://127.0.0.1:2197' })
      const [request = ''] = requests
      assert.match(request, /^CONNECT 127\.0\.0\.1:2197 HTTP\/1\.1\r\nHost: 127\.0\.0\.1:2197\r\n/)
      const basic = Buffer.from('us:er:secret').toString('base64')
      assert.match(request, new RegExp(`\r\nProxy-Authorization: Basic ${basic}\r\n`))
    })

    it('is not shown the certificate that is for Apple, though it asks for one', async () => {
      const certificate = certificateFor('127.0.0.1')
      const options = { ...certificate, requestCert: true, rejectUnauthorized: false }
      const proxy = createHttpsProxy(simulatorPort(), options)
      const shown: unknown[] = []
      proxy.on('secureConnection', (socket: TLSSocket) => shown.push(socket.getPeerCertificate()))
      await sendThrough(`https://127.0.0.1:${await listen(proxy)}`)
      assert.deepEqual(shown, [{}])
    })

    it('and wants a certificate of its own is no word of Apple’s on ours', {
      skip: missing('python3'),
    }, async () => {
      const refuser = await startTlsRefuser(simulator)
      undo.push(() => refuser.stop())
      const message = await failThrough(`https://127.0.0.1:${refuser.port}`)
      assert.match(
        message,
        /^the https proxy 127\.0\.0\.1:\d+ made no way to .* certificate required$/,
      )
    })

    it('is verified as every host is', async () => {
      const proxy = createHttpsProxy(1, certificateFor('other.example.com'))
      const address = `https://127.0.0.81:${await listen(proxy, '127.0.0.81')}`
      assert.match(
        await failThrough(address),
        /^TLS with the https proxy 127\.0\.0\.81:\d+ failed: .* \(ERR_TLS_CERT_ALTNAME_INVALID\)\.$/,
      )
    })
  })

  it('that knows a way to who is not Apple: the client says by which way', async () => {
    const { certificatePem, privateKeyPem } =
      simulator.authority.issueServerCertificate('other.example.com')
    const port = await listen(
      createTlsServer({ cert: certificatePem, key: privateKeyPem, ALPNProtocols: ['h2'] }),
    )
    const proxy = `http://127.0.0.1:${await listen(createHttpProxy(port))}`
    assert.match(
      await failThrough(proxy, { url: 'https://api.push.apple.com' }),
      /^TLS with api\.push\.apple\.com:443 by way of the http proxy 127\.0\.0\.1:\d+ failed: .*ALTNAME_INVALID\)/,
    )
  })

  it('is not told a name that has no address, where names are ours to look up', async () => {
    let connections = 0
    const port = await listen(createServer(() => (connections += 1)))
    const message = await failThrough(`socks5://127.0.0.1:${port}`, {
      url: 'https://api.push.apple.com',
      lookup: to(),
    })
    assert.equal(message, 'the name api.push.apple.com has no address')
    assert.equal(connections, 0)
  })

  const answers: [string, string, string | Buffer, RegExp][] = [
    ['another protocol', 'http', '220 smtp ready\r\n\r\n', /does not answer as an HTTP proxy does/],
    ['a header without end', 'http', 'x'.repeat(20_000), /does not answer as an HTTP proxy does/],
    [
      // which reaches TLS: what comes behind the header is not lost
      '200 and no TLS',
      'http',
      'HTTP/1.1 200 OK\r\n\r\ngarbage garbage',
      /^TLS with .* by way of the http proxy .*(WRONG_VERSION_NUMBER|RECORD)/,
    ],
    [
      '407 to who speaks Basic',
      'http',
      'HTTP/1.1 407 No\r\nProxy-Authenticate: Negotiate\r\nproxy-authenticate:NTLM x\r\n\r\n',
      /it wants Negotiate or NTLM, and only Basic is spoken here \(407\)$/,
    ],
    [
      'an address of no kind',
      'socks5',
      Buffer.from([5, 0, 5, 0, 0, 9, 9, 9]),
      /does not answer as/,
    ],
    ['nothing, and hangs up', 'http', '', /closed the connection/],
    ['half a line, and hangs up', 'http', 'HTTP/1.1 2', /closed the connection/],
    ['a redirect', 'http', 'HTTP/1.1 302 Found\r\nLocation: x\r\n\r\n', /it answered 302 Found/],
    ['SOCKS4', 'socks5', Buffer.from([0, 0x5a]), /does not answer as a SOCKS5 proxy does/],
    ['no method', 'socks5', Buffer.from([5, 0xff]), /wants user and password/],
    ['half of it', 'socks5', Buffer.from([5]), /closed the connection/],
    ['a reply unheard of', 'socks5', Buffer.from([5, 0, 5, 77, 0, 1]), /failure 77/],
    ['a rule', 'socks5', Buffer.from([5, 0, 5, 2, 0, 1]), /not allowed by its rules/],
  ]
  for (const [what, protocol, words, expected] of answers)
    it(`that answers ${what} is named in a sentence`, async () => {
      const server = createServer((socket) => {
        socket.once('data', () => socket.end(words))
      })
      const message = await failThrough(`${protocol}://127.0.0.1:${await listen(server)}`)
      assert.match(message, expected)
    })

  it('that never answers costs the time a connection may take, and no socket', async () => {
    for (const protocol of ['http', 'https', 'socks5']) {
      const server = createServer((socket) => socket.resume())
      const closed = once(server, 'connection').then(([socket]) => once(socket as Socket, 'close'))
      const message = await failThrough(`${protocol}://127.0.0.1:${await listen(server)}`, {
        timings: { connectTimeoutMs: 60 },
      })
      assert.match(message, /within 60 ms/)
      await closed
    }
  })

  it('that is not there is named with its address', async () => {
    const port = await freePort()
    assert.match(
      await failThrough(`http://127.0.0.1:${port}`),
      new RegExp(
        `^the http proxy 127\\.0\\.0\\.1:${port} cannot be reached: 127\\.0\\.0\\.1 said ECONNREFUSED$`,
      ),
    )
  })

  it('is given an IPv6 address in brackets by CONNECT', async () => {
    const requests: string[] = []
    const port = await listen(createHttpProxy(1, (head) => requests.push(head)))
    await failThrough(`http://127.0.0.1:${port}`, { url: 'https://[2001:db8::2]:2197' })
    assert.match(
      requests[0] ?? '',
      /^CONNECT \[2001:db8::2\]:2197 HTTP\/1\.1\r\nHost: \[2001:db8::2\]:2197\r\n/,
    )
  })

  it('may be reached and answer by IPv6', async () => {
    const requests: Buffer[] = []
    const server = createServer((socket) => {
      socket.once('data', () => {
        socket.write(Buffer.from([5, 0]))
        socket.once('data', (request) => {
          requests.push(request)
          socket.end(Buffer.concat([Buffer.from([5, 5, 0, 4]), Buffer.alloc(18)]))
        })
      })
    })
    const port = await listen(server)
    for (const address of ['::1', '2001:db8::2:3', 'fe80::']) {
      const url = `https://[${address}]:8443`
      await failThrough(`socks5://127.0.0.1:${port}`, { url })
    }
    const hex = requests.map((request) => request.toString('hex'))
    assert.deepEqual(hex, [
      '050100040000000000000000000000000000000120fb',
      '0501000420010db800000000000000000002000320fb',
      '05010004fe80000000000000000000000000000020fb',
    ])
  })
})
