import assert from 'node:assert/strict'
import { createServer, type Server, type Socket } from 'node:net'
import { after, afterEach, before, describe, it } from 'node:test'
import { createServer as createTlsServer } from 'node:tls'
import { readProxy } from '@apnsd/apns'
import { orderAddresses } from '../../packages/apns/src/tls/addresses.ts'
import { DialStage, HOST, to } from '../support/dial-stage.ts'
import { createHttpProxy, createHttpsProxy, createSocksProxy } from '../support/relay-proxy.ts'

const reason = new Error('given up')
const nextTurn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

describe('a dial that is given up', () => {
  let stage: DialStage
  before(async () => {
    stage = await DialStage.open()
  })
  afterEach(() => stage.reset())
  after(() => stage.close())

  const certificateFor = (host: string): { cert: string; key: string } => {
    const { certificatePem, privateKeyPem } = stage.simulator.authority.issueServerCertificate(host)
    return { cert: certificatePem, key: privateKeyPem }
  }

  const ways: [string, ((port: number) => Server) | null][] = [
    ['directly', null],
    ['http', (port) => createHttpProxy(port)],
    ['https', (port) => createHttpsProxy(port, certificateFor('127.0.0.1'))],
    ['socks5', createSocksProxy],
    ['socks5h', createSocksProxy],
  ]
  for (const [way, createProxy] of ways)
    it(`after any number of turns leaves no socket behind: ${way}`, async () => {
      const port = await stage.listen(stage.createServerFor(HOST))
      const proxyPort = createProxy === null ? 0 : await stage.listen(createProxy(port))
      const proxy = createProxy === null ? null : readProxy(`${way}://127.0.0.1:${proxyPort}`)
      for (let turns = 0, isConnected = false; !isConnected; turns += 1) {
        const giveUp = new AbortController()
        const { signal } = giveUp
        const dialling = stage.dial(port, { lookup: to('127.0.0.1'), proxy, signal }).then(
          ({ socket }) => socket,
          (error: unknown) => {
            assert.equal(error, reason)
            return null
          },
        )
        for (let turn = 0; turn < turns; turn += 1) await nextTurn()
        giveUp.abort(reason)
        const socket = await dialling
        socket?.destroy()
        isConnected = socket !== null
      }
      await stage.untilAllClosed()
    })

  it('rejects with the reason at once, though the look-up goes on, and holds no address', async () => {
    const { promise, resolve } = Promise.withResolvers<{ address: string; family: number }[]>()
    const giveUp = new AbortController()
    const dialling = stage.dial(1, { lookup: () => promise, signal: giveUp.signal })
    giveUp.abort(reason)
    await assert.rejects(dialling, (error) => error === reason)
    resolve([{ address: '127.0.0.91', family: 4 }])
    await nextTurn()
    const found = await to('127.0.0.91', '127.0.0.92')(HOST)
    assert.deepEqual(
      orderAddresses(found, () => 0),
      ['127.0.0.91', '127.0.0.92'],
    )
    await assert.rejects(
      stage.dial(1, { lookup: () => Promise.reject(new Error('late')), signal: giveUp.signal }),
      (error) => error === reason,
    )
  })

  it('while an address does not answer leaves no attempt going', async () => {
    const port = await stage.listen(createServer(), '127.0.0.93')
    await stage.dig('127.0.0.94', port)
    const giveUp = new AbortController()
    const onStep = (waitingFor: string): void => {
      if (waitingFor.endsWith('at 127.0.0.94')) setImmediate(() => giveUp.abort(reason))
    }
    const resources = process.getActiveResourcesInfo()
    await assert.rejects(
      stage.dial(port, { lookup: to('127.0.0.94'), signal: giveUp.signal, onStep }),
      (error) => error === reason,
    )
    // sockets close at the end of a turn
    await nextTurn()
    await nextTurn()
    const wraps = (names: string[]): string[] => names.filter((name) => name.startsWith('TCP'))
    assert.deepEqual(wraps(process.getActiveResourcesInfo()), wraps(resources))
  })

  for (const protocol of ['http', 'https', 'socks5'])
    it(`while its ${protocol} proxy says nothing lets go of it`, async () => {
      const listen = (socket: Socket): void => void socket.on('error', () => undefined).resume()
      const silent =
        protocol === 'https'
          ? createTlsServer(certificateFor('127.0.0.1'), listen)
          : createServer(listen)
      const proxy = readProxy(`${protocol}://127.0.0.1:${await stage.listen(silent)}`)
      const giveUp = new AbortController()
      const onStep = (waitingFor: string): void => {
        if (waitingFor.includes('to make a way')) setImmediate(() => giveUp.abort(reason))
      }
      const { signal } = giveUp
      await assert.rejects(
        stage.dial(443, { lookup: to('127.0.0.1'), proxy, signal, onStep }),
        (error) => error === reason,
      )
      await stage.untilAllClosed()
    })
})
