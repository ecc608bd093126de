import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { call } from '../../packages/apnsd/src/doors/cli/demo/daemon-client.ts'
import { ApnsdCommand } from '../support/apnsd-command.ts'
import { DEVICE_TOKEN, Stage, TOPIC } from '../support/stage.ts'

describe('a daemon that reaches Apple through a proxy', () => {
  let stage: Stage
  const requests: string[] = []
  const sockets = new Set<Socket>()
  const proxy = createServer((near) => {
    sockets.add(near.on('error', () => undefined))
    near.once('data', (bytes) => {
      requests.push(bytes.toString())
      const far = connect(Number(new URL(stage.simulator.url).port), '127.0.0.1')
      sockets.add(far.on('error', () => undefined))
      near.write('HTTP/1.1 200 OK\r\n\r\n')
      near.pipe(far).pipe(near)
    })
  })
  before(async () => {
    stage = await Stage.open()
    await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve))
  })
  after(async () => {
    proxy.close()
    for (const socket of sockets) socket.destroy()
    await stage.close()
  })

  it('takes it from the environment, and writes TLS keys down when told to', async () => {
    const keylog = join(stage.folder, 'keys.log')
    const { port } = proxy.address() as AddressInfo
    const daemon = ApnsdCommand.start(
      [
        ...['serve', '--listen', '127.0.0.1:0', '--data', join(stage.folder, 'other')],
        ...['--apns-ca', join(stage.folder, 'ca.pem')],
      ],
      {
        env: {
          // no machine of this name: only the proxy knows the way; the certificate must be for it
          APNSD_APNS_SANDBOX: 'https://10.255.255.1:2197',
          APNSD_APNS_KEYLOG: keylog,
          HTTPS_PROXY: `http://user:secret@127.0.0.1:${port}`,
          NO_PROXY: '',
        },
      },
    )
    try {
      const { url } = await daemon.ready()
      const { pem } = stage.simulator.issueCertificate({ topic: TOPIC })
      await call(String(url), 'provision', ['myapp', pem, 'sandbox', 15]).catch(() => undefined)
      call(String(url), 'notify', ['myapp', DEVICE_TOKEN, { aps: { alert: 'hi' } }]).catch(
        () => undefined,
      )
      // the simulator's certificate is for 127.0.0.1: the way is found, and the peer is not trusted under that name
      await daemon.waitForOutput(/does not match certificate's altnames/)
      assert.match(requests[0] ?? '', /^CONNECT 10\.255\.255\.1:2197 HTTP\/1\.1\r\n/)
      assert.match(requests[0] ?? '', /Proxy-Authorization: Basic /)
      assert.match(readFileSync(keylog, 'utf8'), /^CLIENT_HANDSHAKE_TRAFFIC_SECRET /m)
      assert.match(daemon.stdout, /"msg":"TLS keys are written down/)
      assert.doesNotMatch(daemon.stdout, /secret/)
    } finally {
      await daemon.end('SIGTERM')
    }
  })
})
