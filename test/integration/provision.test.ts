import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { after, before, beforeEach, describe, it } from 'node:test'
import { Simulator } from '@apnsd/simulator'
import { XmlRpcFault } from '../../packages/apnsd/src/doors/xmlrpc/parse-response.ts'
import { DEVICE_TOKEN, Stage, TOPIC } from '../support/stage.ts'
import { missing } from '../support/system-parts.ts'
import { startTlsRefuser } from '../support/tls-refuser.ts'

const UNREACHABLE = 'Connection to the APNS server could not be made.'
const payload = { aps: { alert: 'hi' } }

async function faultOf(calling: Promise<unknown>): Promise<XmlRpcFault> {
  try {
    await calling
  } catch (error) {
    assert.ok(error instanceof XmlRpcFault, String(error))
    return error
  }
  return assert.fail('it was answered without a fault')
}

describe('provision', () => {
  let stage: Stage
  before(async () => {
    stage = await Stage.open()
  })
  after(() => stage.close())
  beforeEach(() => {
    stage.simulator.clearScript()
    stage.simulator.clearNotifications()
  })

  const provision = (appId: string, pem: string, environment = 'sandbox', timeoutS = 15) =>
    stage.call('provision', appId, pem, environment, timeoutS)

  it('says what is wrong with a certificate, each fault in its own words', async () => {
    const good = stage.simulator.issueCertificate({ topic: TOPIC })
    const other = stage.simulator.issueCertificate({ topic: TOPIC })
    const expired = stage.simulator.issueCertificate({
      topic: TOPIC,
      notBefore: new Date(Date.now() - 2 * 86_400_000),
      notAfter: new Date(Date.now() - 86_400_000),
    })
    const sandbox = stage.simulator.issueCertificate({ topic: TOPIC, environments: ['sandbox'] })
    const cases: [string, string, number, RegExp][] = [
      [`${stage.folder}/absent.pem`, 'sandbox', 400, /absent\.pem is not there/],
      [stage.writePem('no PEM', 'empty.pem'), 'sandbox', 400, /no certificate in it/],
      [good.certificatePem, 'sandbox', 400, /no private key/],
      [good.certificatePem + other.privateKeyPem, 'sandbox', 400, /does not belong/],
      [expired.pem, 'sandbox', 400, /expired on \d{4}-\d\d-\d\d/],
      [sandbox.pem, 'production', 400, /is for sandbox, not for production/],
      [
        good.pem,
        'staging',
        401,
        /^Invalid environment provided `staging`. Valid environments are `sandbox` and `production`$/,
      ],
    ]
    for (const [pem, environment, code, text] of cases) {
      const fault = await faultOf(provision('broken', pem, environment))
      assert.equal(fault.faultCode, code, fault.faultString)
      assert.match(fault.faultString, text)
      assert.equal(fault.faultString.includes('PRIVATE KEY'), false)
    }
    assert.equal((await faultOf(stage.call('feedback', 'broken'))).faultCode, 404)
  })

  it('takes the path of a PKCS#12 file without a passphrase, and says of one with a passphrase what to do', {
    skip: missing('openssl'),
  }, async () => {
    const topic = 'com.example.packed'
    stage.writePem(stage.simulator.issueCertificate({ topic }).pem, 'packed.pem')
    const pack = (name: string, passphrase: string): string => {
      const path = `${stage.folder}/${name}`
      execFileSync('openssl', [
        ...['pkcs12', '-export', '-in', `${stage.folder}/packed.pem`, '-out', path],
        ...['-legacy', '-passout', `pass:${passphrase}`],
      ])
      return path
    }
    await provision('packed', pack('open.p12', ''))
    await stage.call('notify', 'packed', 'ef'.repeat(32), payload)
    const [taken] = await stage.settled(1)
    assert.equal(taken?.headers['apns-topic'], topic)
    const fault = await faultOf(provision('packed', pack('closed.p12', 'secret')))
    assert.equal(fault.faultCode, 400)
    assert.match(fault.faultString, /protected by a passphrase.*PUT \/v1\/apps\/\{app\} takes one/)
  })

  it('takes a key or a PKCS#12 file where the certificate should stand for no path, and shows nothing of it', async () => {
    const { privateKeyPem } = stage.simulator.issueCertificate({ topic: TOPIC })
    const base64 = privateKeyPem.replace(/-----.*-----|\n/g, '')
    for (const secret of [privateKeyPem, base64]) {
      const fault = await faultOf(provision('misplaced', secret))
      assert.match(fault.faultString, /no certificate in it, only a private key/)
      assert.equal(fault.faultString.includes(base64.slice(0, 40)), false)
    }
  })

  it('takes a certificate without Apple’s extensions with a warning, its UID as topic', async () => {
    const { pem } = stage.simulator.issueCertificate({
      topic: 'com.example.plain',
      appleExtensions: false,
    })
    await provision('plain', pem)
    await stage.daemon.waitForLog(({ level, app }) => level === 'warn' && app === 'plain')
    await stage.call('notify', 'plain', 'cd'.repeat(32), payload)
    const [taken] = await stage.settled(1)
    assert.equal(taken?.headers['apns-topic'], 'com.example.plain')
  })

  it('takes effect at once when it says something else, live, and changes nothing when it says the same', async () => {
    const first = stage.simulator.issueCertificate({ topic: 'com.example.first' }).pem
    const second = stage.simulator.issueCertificate({ topic: 'com.example.second' }).pem
    await provision('swapped', first)
    await stage.call('notify', 'swapped', '11'.repeat(32), payload)
    await provision('swapped', first)
    await stage.call('notify', 'swapped', '11'.repeat(32), payload)
    const untouched = await stage.settled(2)
    assert.equal(untouched[0]?.connection, untouched[1]?.connection)
    await provision('swapped', second)
    await stage.call('notify', 'swapped', '22'.repeat(32), payload)
    const taken = await stage.settled(3)
    assert.equal(taken[2]?.headers['apns-topic'], 'com.example.second')
    assert.notEqual(taken[2].connection, taken[0]?.connection)
  })

  it('loses nothing when the credential is swapped in the middle of a campaign', async () => {
    const topic = 'com.example.campaign'
    await provision('campaign', stage.simulator.issueCertificate({ topic }).pem)
    stage.simulator.play({ rules: [{ do: { type: 'delay', ms: 5 } }] })
    const deviceTokens = Array.from({ length: 3000 }, (_, index) =>
      index.toString(16).padStart(8, '0').padStart(64, 'c'),
    )
    await stage.call('notify', 'campaign', deviceTokens, payload)
    await stage.simulator.waitForNotifications(100)
    await provision('campaign', stage.simulator.issueCertificate({ topic }).pem)
    const taken = await stage.settled(deviceTokens.length)
    assert.equal(new Set(taken.map(({ apnsId }) => apnsId)).size, deviceTokens.length)
    assert.equal(taken.length, deviceTokens.length)
    assert.ok(new Set(taken.map(({ connection }) => connection)).size > 1)
  })
})

describe('notify while the credential has never reached Apple', () => {
  let stage: Stage
  before(async () => {
    stage = await Stage.open()
  })
  after(() => stage.close())

  it('faults 500 with the original’s text when the timeout is up, and keeps nothing of the call', async () => {
    // a port where nothing listens: nobody can reach Apple there
    const server = createServer()
    await once(server.listen(0, '127.0.0.1'), 'listening')
    const address = server.address()
    assert.ok(typeof address === 'object' && address !== null)
    server.close()
    await stage.daemon.stop()
    await stage.startDaemon(`https://127.0.0.1:${address.port}`)
    const { pem } = stage.simulator.issueCertificate({ topic: TOPIC })
    await stage.call('provision', 'cut-off', pem, 'sandbox', 0)
    const fault = await faultOf(stage.call('notify', 'cut-off', DEVICE_TOKEN, payload))
    assert.deepEqual([fault.faultCode, fault.faultString], [500, UNREACHABLE])
    // Apple comes within reach: what is sent then arrives, and nothing else
    const { certificatePem, privateKeyPem } = stage.simulator.authority
    const late = await Simulator.start({
      listen: { host: '127.0.0.1', port: address.port },
      authority: { certificatePem, privateKeyPem },
    })
    try {
      await stage.call('provision', 'cut-off', pem, 'sandbox', 30)
      await stage.call('notify', 'cut-off', DEVICE_TOKEN, { aps: { alert: 'in reach' } })
      const taken = await late.waitForNotifications(1)
      assert.deepEqual(
        taken.map((notification) => notification.payload),
        [{ aps: { alert: 'in reach' } }],
      )
    } finally {
      await stage.daemon.stop()
      await late.close()
    }
  })

  it('faults 500 at once, with the reason, when Apple has refused the certificate by its answer', async () => {
    await stage.daemon.kill()
    await stage.startDaemon()
    // issued by nobody that the simulator knows: it answers BadCertificate
    const stranger = await Simulator.start({ control: null })
    const { pem } = stranger.issueCertificate({ topic: TOPIC })
    await stranger.close()
    await stage.call('provision', 'refused', pem, 'sandbox', 15)
    await stage.call('notify', 'refused', DEVICE_TOKEN, { aps: { alert: 'kept' } })
    await stage.daemon.waitForLog(({ reason }) => String(reason).includes('BadCertificate'))
    const fault = await faultOf(stage.call('notify', 'refused', DEVICE_TOKEN, payload))
    assert.equal(fault.faultCode, 500)
    assert.match(
      fault.faultString,
      /^Connection to the APNS server could not be made\..*BadCertificate/,
    )
    // what had been accepted is kept, and sent once the app has a good certificate
    await stage.call(
      'provision',
      'refused',
      stage.simulator.issueCertificate({ topic: TOPIC }).pem,
      'sandbox',
      15,
    )
    const taken = await stage.settled(1)
    assert.deepEqual(
      taken.map((notification) => notification.payload),
      [{ aps: { alert: 'kept' } }],
    )
  })

  it('faults 500 at once, with the alert, when the TLS handshake refuses the certificate', {
    skip: missing('python3'),
  }, async () => {
    const refuser = await startTlsRefuser(stage.simulator)
    try {
      await stage.daemon.kill()
      await stage.startDaemon(`https://127.0.0.1:${refuser.port}`)
      const { pem } = stage.simulator.issueCertificate({ topic: TOPIC })
      await stage.call('provision', 'turned-away', pem, 'sandbox', 3600)
      const fault = await faultOf(stage.call('notify', 'turned-away', DEVICE_TOKEN, payload))
      assert.equal(fault.faultCode, 500)
      assert.match(fault.faultString, /refused in the TLS handshake: unknown ca/)
    } finally {
      refuser.stop()
    }
  })
})
