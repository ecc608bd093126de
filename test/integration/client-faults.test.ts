import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { constants, createSecureServer } from 'node:http2'
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net'
import { after, afterEach, before, describe, it } from 'node:test'
import { createServer as createTlsServer } from 'node:tls'
import { type ApnsClientOptions, InvalidNotificationError, type SendResult } from '@apnsd/apns'
import type { Simulator } from '@apnsd/simulator'
import { apnsIdOf, ClientStage, NOTIFICATION, TOPIC } from '../support/client-stage.ts'
import { TcpGate } from '../support/tcp-gate.ts'

const MINUTE_MS = 60_000

describe('a client among faults', () => {
  let stage: ClientStage
  let simulator: Simulator
  let clockMs = Date.now()

  before(async () => {
    stage = await ClientStage.open({ streamLimit: 5, now: () => clockMs })
    simulator = stage.simulator
  })
  after(() => stage.close())
  afterEach(() => stage.reset())

  const createClient = (options: Partial<ApnsClientOptions> = {}) =>
    stage.createClient({ random: () => 0, ...options })

  describe('provider tokens', () => {
    const tokensSeen = (): string[] => [
      ...new Set(simulator.notifications().map(({ headers }) => headers['authorization'] ?? '')),
    ]

    it('are never refused in five hours of connections that come and go', async () => {
      const { client, events } = createClient({
        credential: stage.issueKey(),
        now: () => clockMs,
      })
      for (let minute = 0; minute < 300; minute += 1) {
        // a connection is lost every 13 minutes, so that they begin at all ages of the token they share
        const isLost = minute % 13 === 12
        const last = events.all.at(-1)
        if (isLost) simulator.play([{ times: 1, do: { type: 'goaway', lastStream: 'this' } }])
        assert.equal((await client.send(NOTIFICATION)).type, 'accepted', `in minute ${minute}`)
        if (isLost) await events.until(({ type }) => type === 'disconnected', last)
        clockMs += MINUTE_MS
      }
      assert.ok(tokensSeen().length >= 6)
    })

    it('change on a connection that stays, before they are an hour old', async () => {
      const { client, events } = createClient({
        credential: stage.issueKey(),
        now: () => clockMs,
      })
      for (let hour = 0; hour < 3; hour += 1) {
        assert.equal((await client.send(NOTIFICATION)).type, 'accepted')
        clockMs += 59 * MINUTE_MS
      }
      assert.equal(tokensSeen().length, 3)
      assert.equal(events.all.length, 1)
    })

    it('that Apple calls stale though they are young are kept: the clock is wrong, and Apple is left in peace', async () => {
      const skewMs = 2 * 60 * MINUTE_MS
      let chance = 0
      const { client, events } = createClient({
        credential: stage.issueKey(),
        now: () => clockMs - skewMs,
        random: () => chance,
      })
      chance = 1
      const answer = await client.send(NOTIFICATION)
      assert.ok(answer.type === 'rejected' && answer.reason === 'ExpiredProviderToken')
      await events.until(({ type }) => type === 'disconnected')
      const pending = assert.rejects(client.send(NOTIFICATION), { code: 'not-processed' })
      // the next connection waits as after a failure
      await client.close(0)
      await pending
      assert.equal(events.all.filter(({ type }) => type === 'connected').length, 1)
      assert.equal(
        new Set(simulator.answers().map(({ headers }) => headers['authorization'])).size,
        1,
      )
    })

    it('stay with the next connection after TooManyProviderTokenUpdates has retired one', async () => {
      const { client, events } = createClient({
        credential: stage.issueKey(),
        now: () => clockMs,
      })
      await client.send(NOTIFICATION)
      simulator.play([{ times: 1, do: { type: 'reject', reason: 'TooManyProviderTokenUpdates' } }])
      const answer = await client.send(NOTIFICATION)
      assert.ok(answer.type === 'rejected' && answer.status === 429)
      await events.until(({ type }) => type === 'disconnected')
      assert.equal((await client.send(NOTIFICATION)).type, 'accepted')
      assert.equal(tokensSeen().length, 1)
      const [first, second] = simulator.notifications()
      assert.notEqual(first?.connection, second?.connection)
    })

    for (const reason of ['BadEnvironmentKeyInToken', 'BadEnvironmentKeyIdInToken'])
      it(`retire the connection when Apple says ${reason}`, async () => {
        const { client, events } = createClient()
        await client.send(NOTIFICATION)
        simulator.play([{ times: 1, do: { type: 'reject', reason, status: 403 } }])
        const answer = await client.send(NOTIFICATION)
        assert.ok(answer.type === 'rejected' && answer.reason === reason)
        await events.until(
          (event) => event.type === 'disconnected' && event.cause.message.includes(reason),
        )
      })
  })

  describe('requests', () => {
    it('are timed from their HEADERS, not from when they began to wait', async () => {
      simulator.play([{ do: { type: 'delay', ms: 30 } }])
      const { client } = createClient({ maxConnections: 1, timings: { requestTimeoutMs: 300 } })
      // five at a time: the last one waits for more than twice its own time limit
      const results = await stage.submit(client, 125)
      assert.ok(results.every(({ type }) => type === 'accepted'))
    })

    it('that a peer refuses although it said that it had room are sent as it finds room for them', async () => {
      const { certificatePem, privateKeyPem } =
        simulator.authority.issueServerCertificate('127.0.0.1')
      const server = createSecureServer({ cert: certificatePem, key: privateKeyPem })
      let open = 0
      server.on('stream', (stream) => {
        stream.on('error', () => undefined)
        if (open === 2) {
          stream.close(constants.NGHTTP2_REFUSED_STREAM)
          return
        }
        open += 1
        stream.on('close', () => (open -= 1))
        stream.on('data', () => undefined)
        stream.on('end', () =>
          setTimeout(() => stream.respond({ ':status': 200 }, { endStream: true }), 2),
        )
      })
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
      try {
        const { port } = server.address() as AddressInfo
        const { client } = createClient({ url: `https://127.0.0.1:${port}`, maxConnections: 1 })
        const results = await stage.submit(client, 200)
        assert.ok(results.every(({ type }) => type === 'accepted'))
        await client.close()
      } finally {
        server.close()
      }
    })

    it('end in doubt, and the connection with them, when the peer falls silent in the midst of a frame', async () => {
      const gate = await TcpGate.open(Number(new URL(simulator.url).port))
      try {
        simulator.play([{ do: { type: 'delay', ms: 20 } }])
        const { client, events } = createClient({
          url: `https://127.0.0.1:${gate.port}`,
          maxConnections: 1,
          timings: { requestTimeoutMs: 150 },
        })
        await client.connect()
        gate.shutAfter(100)
        const submitted = stage.submit(client, 20)
        await events.until(({ type }) => type === 'disconnected')
        gate.open()
        const results = await submitted
        assert.ok(results.some(({ type }) => type === 'inDoubt'))
        assert.ok(results.some(({ type }) => type === 'accepted'))
      } finally {
        gate.close()
      }
    })

    it('end when the peer stops reading, and closing the client does not wait for it', async () => {
      const gate = await TcpGate.open(Number(new URL(simulator.url).port))
      try {
        const { client } = createClient({ url: `https://127.0.0.1:${gate.port}` })
        await client.connect()
        gate.pause()
        const large = { ...NOTIFICATION, payload: 'x'.repeat(5000) }
        const sent = Promise.allSettled(Array.from({ length: 2000 }, () => client.send(large)))
        await client.close(50)
        assert.ok((await sent).every(({ status }) => status === 'rejected'))
      } finally {
        gate.close()
      }
    })

    it('that no header can hold are refused, and the others go', async () => {
      const { client } = createClient()
      await assert.rejects(
        client.send({ ...NOTIFICATION, topic: 'com.example\r\n' }),
        InvalidNotificationError,
      )
      const results: SendResult[] = []
      const settled = Promise.withResolvers<void>()
      client.submit({
        length: 3,
        take: (index) => ({
          ...NOTIFICATION,
          deviceToken: index === 1 ? 'not hexadecimal' : NOTIFICATION.deviceToken,
          apnsId: apnsIdOf(index),
        }),
        settled: (index, result) => {
          results[index] = result
          if (results.filter(Boolean).length === 3) settled.resolve()
        },
      })
      await settled.promise
      assert.deepEqual(
        results.map(({ type }) => type),
        ['accepted', 'invalid', 'accepted'],
      )
    })
  })

  describe('peers', () => {
    const servers: Server[] = []
    const sockets = new Set<Socket>()
    afterEach(() => {
      for (const server of servers.splice(0)) server.close()
      for (const socket of sockets) socket.destroy()
      sockets.clear()
    })

    async function listen(server: Server): Promise<string> {
      servers.push(server)
      server.on('connection', (socket) => sockets.add(socket.on('error', () => undefined)))
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
      return `https://127.0.0.1:${(server.address() as AddressInfo).port}`
    }

    /** A server that gets as far as TLS and ALPN, then says `words` and no more. */
    function afterTls(words: Buffer, alpn: string[] = ['h2']): Server {
      const { certificatePem, privateKeyPem } =
        simulator.authority.issueServerCertificate('127.0.0.1')
      const server = createTlsServer({
        cert: certificatePem,
        key: privateKeyPem,
        ALPNProtocols: alpn,
      })
      server.on('tlsClientError', () => undefined)
      server.on('secureConnection', (socket) => {
        socket.on('error', () => undefined)
        if (words.length > 0) socket.write(words)
        else socket.end()
      })
      return server
    }

    const peers: [string, () => Server, RegExp][] = [
      ['reset each connection', () => createServer((socket) => socket.resetAndDestroy()), /./],
      [
        'answer in another protocol',
        () => createServer((socket) => socket.end('220 smtp\r\n')),
        /./,
      ],
      ['hang up after the handshake', () => afterTls(Buffer.alloc(0)), /closed|ended/],
      ['speak HTTP/1', () => afterTls(Buffer.from('HTTP/1.1 400 Bad Request\r\n\r\n')), /HTTP\/1/],
      ['choose another protocol by ALPN', () => afterTls(Buffer.from('x'), ['http/1.1']), /./],
      [
        'fall silent within SETTINGS',
        () => afterTls(Buffer.from('000012040000', 'hex')),
        /within 100 ms/,
      ],
      ['never speak', () => createServer(), /within 100 ms/],
      ['send a frame too long', () => afterTls(Buffer.from('ffffff040000000000', 'hex')), /bytes/],
    ]
    for (const [what, createPeer, cause] of peers)
      it(`that ${what} cost an event and a wait, never the process or a promise without end`, async () => {
        const { client, events } = createClient({
          url: await listen(createPeer()),
          timings: { connectTimeoutMs: 100 },
          waitTimeoutMs: 300,
        })
        await assert.rejects(client.send(NOTIFICATION), { code: 'not-processed' })
        const event = await events.until(({ type }) => type === 'disconnected')
        assert.ok(event.type === 'disconnected')
        assert.match(event.cause.message, cause)
      })
  })

  describe('programs', () => {
    /** Runs a program against the simulator. @returns its exit code and what it printed */
    async function run(body: string): Promise<{ code: number; printed: string }> {
      const program = `
        import { ApnsClient, readCertificate } from '@apnsd/apns'
        const { url, ca, pem, notification } = JSON.parse(process.env.INPUT)
        const credential = readCertificate(pem, null)
        const client = new ApnsClient({ url, credential, ca: [ca] })
        ${body}`
      const { pem } = simulator.issueCertificate({ topic: TOPIC })
      const input = {
        url: simulator.url,
        ca: simulator.authority.certificatePem,
        pem,
        notification: NOTIFICATION,
      }
      const child = spawn(process.execPath, ['--input-type=module', '-e', program], {
        env: { ...process.env, INPUT: JSON.stringify(input) },
        stdio: ['ignore', 'pipe', 'pipe'],
        timeout: 20_000,
      })
      let printed = ''
      child.stdout.on('data', (bytes: Buffer) => (printed += bytes.toString()))
      child.stderr.on('data', (bytes: Buffer) => (printed += bytes.toString()))
      const [code] = (await once(child, 'close')) as [number]
      return { code, printed }
    }

    it('end by themselves once they have closed their client', async () => {
      const { code, printed } = await run(`
        console.log((await client.send(notification)).type)
        await client.close()`)
      assert.deepEqual({ code, printed }, { code: 0, printed: 'accepted\n' })
    })

    it('hear of what their callbacks throw, after everyone else was served', async () => {
      const { code, printed } = await run(`
        process.on('uncaughtException', ({ message }) => console.log(message))
        let settled = 0
        client.submit({
          length: 3,
          take: (n) => ({ ...notification, apnsId: '00000000-0000-4000-8000-00000000000' + n }),
          settled: (_n, { type }) => {
            settled += 1
            if (settled === 3) client.close().then(() => console.log('closed'))
            throw new Error('thrown by settled ' + type)
          },
        })`)
      assert.equal(code, 0)
      const lines = printed.trim().split('\n')
      assert.equal(lines.filter((line) => line === 'thrown by settled accepted').length, 3)
      assert.ok(lines.includes('closed'))
    })
  })
})
