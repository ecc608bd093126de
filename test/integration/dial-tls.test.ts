import assert from 'node:assert/strict'
import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, afterEach, before, describe, it } from 'node:test'
import type { PeerCertificate, TLSSocket, Server as TlsServer } from 'node:tls'
import { promisify } from 'node:util'
import { AuthorityError, ConnectError, readCertificate } from '@apnsd/apns'
import { Simulator } from '@apnsd/simulator'
import { dial } from '../../packages/apns/src/tls/dial.ts'
import { TlsContext } from '../../packages/apns/src/tls/tls-context.ts'
import { TOPIC } from '../support/client-stage.ts'
import { DialStage, HOST, never, to } from '../support/dial-stage.ts'
import { freePort, waitForPort } from '../support/ports.ts'
import { missing } from '../support/system-parts.ts'

const ROOT = new URL('../..', import.meta.url).pathname
const VERSIONS = ['TLSv1.2', 'TLSv1.3'] as const
const lookup = to('127.0.0.1')
const only = (version: (typeof VERSIONS)[number]) => ({ minVersion: version, maxVersion: version })

describe('TLS with the host that was dialled', () => {
  let stage: DialStage
  before(async () => {
    stage = await DialStage.open()
  })
  afterEach(() => stage.reset())
  after(() => stage.close())

  /** By TLS 1.3 a session comes behind the handshake, with the first words of the server. */
  const makeSpeak = (server: TlsServer): TlsServer =>
    server.on('secureConnection', (socket: TLSSocket) => socket.write('x'))

  /** Dials, waits until there is a session to resume, and hangs up. @returns whether this one resumed */
  async function dialOnce(port: number, context: TlsContext): Promise<boolean> {
    const { socket } = await stage.dial(port, { context, lookup })
    const isReused = socket.isSessionReused()
    // Node's servers hand out two tickets of TLS 1.3 in a whole handshake, and none in one that resumes
    if (socket.getProtocol() === 'TLSv1.3' && !isReused) await once(socket, 'session')
    socket.destroy()
    return isReused
  }

  /** A rejection whose cause is Node's error with a code. */
  const becauseOf =
    (code: string) =>
    (error: unknown): boolean => {
      assert.ok(error instanceof ConnectError)
      assert.equal((error.cause as NodeJS.ErrnoException).code, code)
      assert.match(
        error.message,
        new RegExp(`^TLS with ${HOST}:\\d+ at 127\\.0\\.0\\.\\d+ failed: `),
      )
      return true
    }

  it('ends at a certificate of another name, and does not try its luck elsewhere', async () => {
    const port = await stage.listen(stage.createServerFor('other.example.com'), '127.0.0.51')
    let connections = 0
    await stage.listen(
      stage.createServerFor(HOST).on('connection', () => (connections += 1)),
      '127.0.0.52',
      port,
    )
    await assert.rejects(
      stage.dial(port, { lookup: to('127.0.0.51', '127.0.0.52') }),
      becauseOf('ERR_TLS_CERT_ALTNAME_INVALID'),
    )
    assert.equal(connections, 0)
  })

  it('wants h2 by ALPN', async () => {
    const silent = await stage.listen(stage.createServerFor(HOST, { ALPNProtocols: [] }))
    await assert.rejects(
      stage.dial(silent, { lookup }),
      /^ConnectError: push\.example\.com does not speak HTTP\/2: it chose no protocol by ALPN\. Is something in between\?$/,
    )
    const other = stage.createServerFor(HOST, { ALPNProtocols: ['http/1.1'] })
    await assert.rejects(
      stage.dial(await stage.listen(other), { lookup }),
      /no application protocol \(ERR_SSL_TLSV1_ALERT_NO_APPLICATION_PROTOCOL\)\. It does not speak HTTP\/2\. Is something in between\?$/,
    )
  })

  it('wants TLS 1.2', async () => {
    const old = {
      maxVersion: 'TLSv1.1',
      minVersion: 'TLSv1',
      ciphers: 'DEFAULT@SECLEVEL=0',
    } as const
    const oldPort = await stage.listen(stage.createServerFor(HOST, old))
    await assert.rejects(
      stage.dial(oldPort, { lookup }),
      becauseOf('ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION'),
    )
    const port = await stage.listen(stage.createServerFor(HOST, only('TLSv1.2')))
    assert.equal((await stage.dial(port, { lookup })).socket.getProtocol(), 'TLSv1.2')
  })

  it('sends the name by SNI, and none for an address', async () => {
    const names: unknown[] = []
    for (const host of [HOST, '127.0.0.1']) {
      const server = stage.createServerFor(host)
      const port = await stage.listen(server)
      const url = new URL(`https://${host}:${port}`)
      const secured = once(server, 'secureConnection') as Promise<[TLSSocket]>
      await stage.dial(port, { url, lookup })
      names.push((await secured)[0].servername)
    }
    assert.deepEqual(names, [HOST, false])
  })

  for (const version of VERSIONS) {
    for (const withCertificate of [false, true])
      it(`resumes its session by ${version} ${withCertificate ? 'with' : 'without'} a client certificate`, async () => {
        const { pem } = stage.simulator.issueCertificate({ topic: TOPIC })
        const context = stage.createContext({
          certificate: withCertificate ? readCertificate(pem) : null,
        })
        const server = stage.createServerFor(HOST, {
          ...only(version),
          requestCert: withCertificate,
          rejectUnauthorized: false,
        })
        const port = await stage.listen(makeSpeak(server))
        assert.equal(await dialOnce(port, context), false)
        const accepted = once(server, 'secureConnection') as Promise<[TLSSocket]>
        const { socket } = await stage.dial(port, { context, lookup })
        assert.equal(socket.isSessionReused(), true)
        // the server knows who it is all the same
        const { subject } = (await accepted)[0].getPeerCertificate() as Partial<PeerCertificate>
        assert.equal(subject?.['UID'], withCertificate ? TOPIC : undefined)
      })

    it(`resumes a session time and again by ${version}`, async () => {
      const port = await stage.listen(makeSpeak(stage.createServerFor(HOST, only(version))))
      const context = stage.createContext()
      const reused: boolean[] = []
      for (let n = 0; n < 4; n += 1) reused.push(await dialOnce(port, context))
      assert.deepEqual(reused, [false, true, true, true])
    })

    it(`does not look away from a wrong name because a session was to be had by ${version}`, async () => {
      const server = makeSpeak(stage.createServerFor('other.example.com', only(version)))
      const port = await stage.listen(server)
      const context = stage.createContext()
      for (let n = 0; n < 3; n += 1)
        await assert.rejects(
          stage.dial(port, { lookup, context }),
          becauseOf('ERR_TLS_CERT_ALTNAME_INVALID'),
        )
    })

    it(`forgets a session that its peer has forgotten, and takes the next, by ${version}`, async () => {
      const server = stage.createServerFor(HOST, only(version))
      const port = await stage.listen(makeSpeak(server))
      const context = stage.createContext()
      assert.equal(await dialOnce(port, context), false)
      server.setTicketKeys(Buffer.alloc(48, 1))
      assert.equal(await dialOnce(port, context), false)
      assert.equal(await dialOnce(port, context), true)
    })

    it(`does a whole handshake when the one before it failed, by ${version}`, async () => {
      const target = stage.createServerFor(HOST, only(version))
      const targetPort = await stage.listen(makeSpeak(target))
      let isBroken = false
      const relay = createServer((near) => {
        if (isBroken) {
          near.once('data', () => near.resetAndDestroy())
          return
        }
        const far = stage.keep(connect(targetPort, '127.0.0.1'))
        near.pipe(far).pipe(near)
      })
      const port = await stage.listen(relay)
      const context = stage.createContext()
      await dialOnce(port, context)
      isBroken = true
      await assert.rejects(dialOnce(port, context), /ECONNRESET/)
      isBroken = false
      assert.equal(await dialOnce(port, context), false)
    })

    it(`bears a peer whose first words behind the handshake are garbage, by ${version}`, async () => {
      const targetPort = await stage.listen(stage.createServerFor(HOST, only(version)))
      const garbage = Buffer.concat([Buffer.from([23, 3, 3, 0, 32]), Buffer.alloc(32, 7)])
      const lastFlight = version === 'TLSv1.2' ? 2 : 1
      const relay = createServer((near) => {
        const far = stage.keep(connect(targetPort, '127.0.0.1'))
        let flights = 0
        near.pipe(far)
        far.on('data', (bytes) => {
          flights += 1
          near.write(flights === lastFlight ? Buffer.concat([bytes, garbage]) : bytes)
        })
      })
      const port = await stage.listen(relay)
      const url = new URL(`https://${HOST}:${port}`)
      const { context } = stage
      try {
        const { socket } = await dial({ url, context, proxy: null, lookup, signal: never })
        // nobody listens for its error, and it ends all the same
        if (!socket.closed) await new Promise((resolve) => socket.once('close', resolve))
      } catch (error) {
        assert.match((error as Error).message, /bad record mac|cipher operation failed/)
      }
    })
  }

  it('forgets a session that was not resumed, also where no other takes its place', {
    skip: missing('openssl'),
  }, async () => {
    const folder = mkdtempSync(join(tmpdir(), 'apnsd-test-'))
    const { certificatePem, privateKeyPem } = stage.simulator.authority.issueServerCertificate(HOST)
    const path = join(folder, 'server.pem')
    writeFileSync(path, certificatePem + privateKeyPem, { mode: 0o600 })
    const strangerPort = await freePort()
    const args = ['s_server', '-accept', `127.0.0.1:${strangerPort}`, '-cert', path, '-key', path]
    const stranger = spawn('openssl', [...args, '-alpn', 'h2', '-num_tickets', '0', '-quiet'], {
      stdio: 'ignore',
    })
    try {
      await waitForPort(strangerPort)
      const ourPort = await stage.listen(makeSpeak(stage.createServerFor(HOST, only('TLSv1.3'))))
      let port = ourPort
      const relay = createServer((near) => {
        const far = stage.keep(connect(port, '127.0.0.1'))
        near.pipe(far).pipe(near)
      })
      const relayPort = await stage.listen(relay)
      const context = stage.createContext()
      assert.equal(await dialOnce(relayPort, context), false)
      port = strangerPort
      const { socket } = await stage.dial(relayPort, { context, lookup })
      assert.equal(socket.isSessionReused(), false)
      // this one would resume
      port = ourPort
      assert.equal(await dialOnce(relayPort, context), false)
    } finally {
      stranger.kill()
      await once(stranger, 'close')
      rmSync(folder, { recursive: true })
    }
  })

  it('verifies again whom it let pass while verification was off', async () => {
    const server = makeSpeak(stage.createServerFor('other.example.com'))
    const port = await stage.listen(server)
    const context = stage.createContext()
    process.env['NODE_TLS_REJECT_UNAUTHORIZED'] = '0'
    try {
      assert.equal(await dialOnce(port, context), false)
    } finally {
      delete process.env['NODE_TLS_REJECT_UNAUTHORIZED']
    }
    await assert.rejects(
      stage.dial(port, { lookup, context }),
      becauseOf('ERR_TLS_CERT_ALTNAME_INVALID'),
    )
  })

  it('verifies whom it talks to, whatever sessions it has', async () => {
    const server = stage.createServerFor(HOST)
    const port = await stage.listen(makeSpeak(server))
    await dialOnce(port, stage.context)
    server.close()
    await once(server, 'close')
    const stranger = await Simulator.start({ control: null })
    try {
      const { certificatePem, privateKeyPem } = stranger.authority.issueServerCertificate(HOST)
      await stage.listen(
        stage.createServerFor(HOST, { cert: certificatePem, key: privateKeyPem }),
        '127.0.0.1',
        port,
      )
      for (let n = 0; n < 2; n += 1)
        await assert.rejects(stage.dial(port, { lookup }), (error) => {
          becauseOf('UNABLE_TO_VERIFY_LEAF_SIGNATURE')(error)
          return (error as Error).message.endsWith('is to be trusted besides.')
        })
    } finally {
      await stranger.close()
    }
  })

  it('trusts the authorities that it was given, and Node’s own besides', async () => {
    const stranger = await Simulator.start({ control: null })
    const folder = mkdtempSync(join(tmpdir(), 'apnsd-test-'))
    try {
      const ours = await stage.listen(stage.createServerFor('localhost'))
      const { certificatePem, privateKeyPem } =
        stranger.authority.issueServerCertificate('localhost')
      const theirs = await stage.listen(
        stage.createServerFor('localhost', { cert: certificatePem, key: privateKeyPem }),
      )
      const authority = join(folder, 'ca.pem')
      writeFileSync(authority, stranger.authority.certificatePem)
      const program = `
        import { dial } from '${ROOT}packages/apns/src/tls/dial.ts'
        import { TlsContext } from '${ROOT}packages/apns/src/tls/tls-context.ts'
        const { signal } = new AbortController()
        const { certificatePem, privateKeyPem } = JSON.parse(process.env.CERTIFICATE)
        for (const certificate of [null, { certificatePem, privateKeyPem }]) {
          const context = new TlsContext({ extraCa: [process.env.OURS], certificate })
          for (const port of [${ours}, ${theirs}]) {
            const url = new URL('https://localhost:' + port)
            const { socket } = await dial({ url, context, proxy: null, signal })
            console.log(socket.authorized)
            socket.destroy()
          }
        }`
      const { stdout } = await promisify(execFile)(
        process.execPath,
        ['--input-type=module', '-e', program],
        {
          env: {
            ...process.env,
            NODE_EXTRA_CA_CERTS: authority,
            OURS: stage.simulator.authority.certificatePem,
            CERTIFICATE: JSON.stringify({ certificatePem, privateKeyPem }),
          },
        },
      )
      assert.equal(stdout, 'true\n'.repeat(4))
      await assert.rejects(
        stage.dial(theirs, { url: new URL(`https://localhost:${theirs}`) }),
        /UNABLE_TO_VERIFY_LEAF_SIGNATURE/,
      )
    } finally {
      await stranger.close()
      rmSync(folder, { recursive: true })
    }
  })

  it('refuses authorities that are none, which TLS would take and trust nobody', () => {
    const { certificatePem } = stage.simulator.authority
    const broken = certificatePem.replace(/\n.{20}/, '\nAAAAAAAAAAAAAAAAAAAA')
    assert.throws(() => new TlsContext({ extraCa: [certificatePem, 'not one'] }), AuthorityError)
    assert.throws(
      () => new TlsContext({ extraCa: [certificatePem + broken] }),
      /AuthorityError: Certificate 2 of a text of authorities to trust cannot be read\./,
    )
    assert.ok(new TlsContext({ extraCa: [`a comment\n${certificatePem}${certificatePem}`] }))
  })

  it('tells the keys of a connection to who asked for them', async () => {
    const lines: string[] = []
    const context = stage.createContext({ onKeylog: (line) => lines.push(line.toString()) })
    const port = await stage.listen(stage.createServerFor(HOST))
    await stage.dial(port, { context, lookup })
    assert.ok(
      lines.some((line) => /^CLIENT_HANDSHAKE_TRAFFIC_SECRET [0-9a-f]+ [0-9a-f]+\n$/.test(line)),
    )
  })
})
