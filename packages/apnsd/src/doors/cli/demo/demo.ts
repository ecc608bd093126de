import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Notification, Simulator } from '@apnsd/simulator'
import { DateTime, type XmlRpcValue } from '../../xmlrpc/values.ts'
import { call, waitForOutcome } from './daemon-client.ts'
import { DaemonProcess } from './daemon-process.ts'
import { formatMs, Narrator, shorten } from './narrator.ts'
import { listPastes } from './paste.ts'

export interface DemoOptions {
  readonly once?: boolean
}

const TOPIC = 'com.example.myapp'
/** What a shell makes of a program that SIGINT has ended. */
const EXIT_INTERRUPTED = 130

/** What the steps of the demo share. */
interface Stage {
  readonly narrator: Narrator
  readonly simulator: Simulator
  readonly folder: string
  daemon: DaemonProcess
}

/**
 * Shows the main job: provision, notify, see it arrive, restart, notify again. Every step is the real thing: the daemon
 * in its own process, XML-RPC over HTTP, HTTP/2 over TLS to the simulator, SQLite on the disk.
 * @throws where a step does not come out as it should
 */
export async function demo({ once = false }: DemoOptions): Promise<void> {
  const narrator = new Narrator((text) => process.stdout.write(text))
  // whoever reads may have gone (`| head`): what was started must be ended all the same
  process.stdout.on('error', () => undefined)
  const folder = mkdtempSync(join(tmpdir(), 'apnsd-demo-'))
  const simulator = await Simulator.start()
  const interruption = new Interruption(simulator)
  let daemon: DaemonProcess | undefined
  try {
    narrator.line('apnsd: start one daemon, provision an app, notify.')
    daemon = await startDaemon(narrator, simulator, folder)
    const stage: Stage = { narrator, simulator, folder, daemon }
    interruption.check()
    await provision(stage)
    const deviceToken = randomBytes(32).toString('hex')
    await notifyOne(stage, deviceToken)
    await notifyMany(stage)
    daemon = await restart(stage)
    stage.daemon = daemon
    interruption.check()
    const apnsId = await notifyAgain(stage, deviceToken)
    if (once) return
    interruption.isWelcome = true
    await stayUp(stage, deviceToken, apnsId)
  } catch (error) {
    if (!interruption.came) throw error
    if (!interruption.isWelcome) process.exitCode = EXIT_INTERRUPTED
  } finally {
    await daemon?.stop()
    await simulator.close()
    rmSync(folder, { recursive: true, force: true })
  }
}

/**
 * A person who has seen enough. Closes the simulator, so that whatever waits for it rejects and the demo ends on the
 * way of every error, with nothing left running.
 */
class Interruption {
  came = false
  /** True once the demo only waits for it. */
  isWelcome = false

  constructor(simulator: Simulator) {
    for (const signal of ['SIGINT', 'SIGTERM'] as const)
      process.once(signal, () => {
        this.came = true
        void simulator.close()
      })
  }

  check(): void {
    if (this.came) throw new Error('interrupted')
  }
}

async function startDaemon(
  narrator: Narrator,
  simulator: Simulator,
  folder: string,
): Promise<DaemonProcess> {
  narrator.step('A stand-in for Apple and the daemon start, on free ports')
  const ca = join(folder, 'ca.pem')
  writeFileSync(ca, simulator.authority.certificatePem)
  const startedAt = performance.now()
  const daemon = await DaemonProcess.start(serveOptions(simulator, folder, '127.0.0.1:0'))
  narrator.fact('stand-in', `${simulator.url}, to ask at ${simulator.controlUrl}`)
  narrator.fact('daemon', `${daemon.url}, up after ${formatMs(performance.now() - startedAt)}`)
  narrator.fact('its data folder', join(folder, 'data'))
  return daemon
}

function serveOptions(simulator: Simulator, folder: string, listen: string): string[] {
  return [
    ...['--listen', listen, '--data', join(folder, 'data')],
    ...['--apns-sandbox', simulator.url, '--apns-production', simulator.url],
    ...['--apns-ca', join(folder, 'ca.pem')],
  ]
}

async function provision({ narrator, simulator, folder, daemon }: Stage): Promise<void> {
  narrator.step('Provision an app, once, with its push certificate')
  const path = join(folder, 'myapp.pem')
  writeFileSync(path, simulator.issueCertificate({ topic: TOPIC }).pem, { mode: 0o600 })
  await timedCall(narrator, daemon, 'provision', ['myapp', path, 'sandbox', 15])
}

async function notifyOne(stage: Stage, deviceToken: string): Promise<string> {
  stage.narrator.step('Notify a device')
  return notifyAndShow(stage, deviceToken, {
    aps: {
      alert: { title: 'Parcel shipped', body: 'It arrives on Monday' },
      badge: 1,
    },
    order: 12_345,
  })
}

async function notifyMany({ narrator, simulator, daemon }: Stage): Promise<void> {
  narrator.step('Notify three devices in one call; one of them has removed the app')
  const deviceTokens = Array.from({ length: 3 }, () => randomBytes(32).toString('hex'))
  const [gone] = deviceTokens
  if (gone === undefined) throw new Error('there are no device tokens')
  simulator.killDevice(gone)
  const before = simulator.totals.answers
  await timedCall(narrator, daemon, 'notify', [
    'myapp',
    deviceTokens,
    { aps: { alert: 'Doors open at eight' } },
  ])
  await simulator.waitForAnswers(before + deviceTokens.length)
  for (const { apnsId, deviceToken } of simulator.answers().slice(-deviceTokens.length)) {
    const { state, reason } = await waitForOutcome(daemon.url, apnsId)
    narrator.fact(
      'outcome',
      `${state}${reason === null ? '' : ` (${reason})`}: ${shorten(deviceToken)}`,
    )
  }
  const feedback = await timedCall(narrator, daemon, 'feedback', ['myapp'])
  if (!JSON.stringify(feedback).includes(gone))
    throw new Error('feedback does not name the dead device token')
}

async function restart({ narrator, simulator, folder, daemon }: Stage): Promise<DaemonProcess> {
  narrator.step('The daemon restarts')
  const { host } = new URL(daemon.url)
  const exitCode = await daemon.stop()
  narrator.fact('stopped', `exit code ${exitCode}, everything written down`)
  if (exitCode !== 0) throw new Error(`the daemon ended with ${exitCode}`)
  const startedAt = performance.now()
  const again = await DaemonProcess.start(serveOptions(simulator, folder, host))
  narrator.fact('started', `${again.url}, up after ${formatMs(performance.now() - startedAt)}`)
  return again
}

async function notifyAgain(stage: Stage, deviceToken: string): Promise<string> {
  stage.narrator.step('Notify again, without provisioning again')
  return notifyAndShow(stage, deviceToken, {
    aps: { alert: 'It knew the app all along', badge: 2 },
  })
}

/** Sends one notification and follows it: the call, the wire, the device, the outcome. */
async function notifyAndShow(
  { narrator, simulator, daemon }: Stage,
  deviceToken: string,
  payload: XmlRpcValue,
): Promise<string> {
  simulator.clearNotifications()
  const startedAt = performance.now()
  await timedCall(narrator, daemon, 'notify', ['myapp', deviceToken, payload])
  const [taken] = await simulator.waitForNotifications(1)
  const arrivedMs = performance.now() - startedAt
  if (taken === undefined) throw new Error('nothing arrived')
  show(narrator, simulator, taken)
  const { state, attempts } = await waitForOutcome(daemon.url, taken.apnsId)
  narrator.fact('outcome on record', `${state} at attempt ${attempts}, apns-id ${taken.apnsId}`)
  narrator.fact('time', `${formatMs(arrivedMs)} from the call until it arrived`)
  if (state !== 'accepted') throw new Error(`the outcome is ${state}`)
  return taken.apnsId
}

function show(narrator: Narrator, simulator: Simulator, taken: Notification): void {
  narrator.wire(taken)
  const screen = simulator.device(taken.deviceToken)
  if (screen !== undefined) narrator.screen(screen)
}

async function timedCall(
  narrator: Narrator,
  daemon: DaemonProcess,
  method: string,
  params: readonly XmlRpcValue[],
): Promise<XmlRpcValue> {
  const startedAt = performance.now()
  const result = await call(daemon.url, method, params)
  narrator.called(
    `${method}(${params.map(formatValue).join(', ')})`,
    formatValue(result),
    performance.now() - startedAt,
  )
  return result
}

/** A value as Python would show it, device tokens cut short. */
function formatValue(value: XmlRpcValue): string {
  if (value === null) return 'nil'
  if (typeof value === 'string') return `'${shorten(value)}'`
  if (Array.isArray(value)) return `[${value.map(formatValue).join(', ')}]`
  if (value instanceof DateTime) return new Date(value.epochS * 1000).toISOString()
  return JSON.stringify(value)
}

/** Prints commands to paste, and then whatever arrives, until the person has seen enough. */
async function stayUp(
  { narrator, simulator, daemon }: Stage,
  deviceToken: string,
  apnsId: string,
): Promise<void> {
  narrator.step('Your turn. Everything stays up; paste any of these in another terminal')
  for (const { title, command } of listPastes(
    daemon.url,
    simulator.controlUrl ?? '',
    deviceToken,
    apnsId,
  )) {
    narrator.line()
    narrator.line(`   # ${title}`)
    narrator.line(`   ${command}`)
  }
  narrator.line()
  narrator.line('   What arrives is shown here. Ctrl-C ends it.')
  simulator.clearNotifications()
  await showArrivals(narrator, simulator)
}

async function showArrivals(narrator: Narrator, simulator: Simulator): Promise<never> {
  for (;;) {
    for (const taken of await simulator.waitForNotifications(1)) {
      narrator.line()
      show(narrator, simulator, taken)
    }
    simulator.clearNotifications()
  }
}
