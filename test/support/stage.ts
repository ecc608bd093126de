import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Notification, Simulator, type SimulatorOptions } from '@apnsd/simulator'
import {
  call,
  type NotificationView,
  waitForOutcome,
} from '../../packages/apnsd/src/doors/cli/demo/daemon-client.ts'
import { DaemonProcess } from '../../packages/apnsd/src/doors/cli/demo/daemon-process.ts'
import type { XmlRpcValue } from '../../packages/apnsd/src/doors/xmlrpc/values.ts'

export const TOPIC = 'com.example.myapp'
export const DEVICE_TOKEN = 'ab'.repeat(32)

/** The daemon in its own process and the simulator in ours, with a folder for both. */
export class Stage {
  readonly folder = mkdtempSync(join(tmpdir(), 'apnsd-test-'))
  simulator!: Simulator
  daemon!: DaemonProcess

  static async open(options: SimulatorOptions = {}): Promise<Stage> {
    const stage = new Stage()
    stage.simulator = await Simulator.start(options)
    writeFileSync(join(stage.folder, 'ca.pem'), stage.simulator.authority.certificatePem)
    await stage.startDaemon()
    return stage
  }

  /** Starts the daemon, or starts it again on the same data folder. */
  async startDaemon(url = this.simulator.url): Promise<void> {
    this.daemon = await DaemonProcess.start([
      ...['--listen', '127.0.0.1:0', '--data', join(this.folder, 'data')],
      ...['--apns-sandbox', url, '--apns-production', url],
      ...['--apns-ca', join(this.folder, 'ca.pem')],
    ])
  }

  /** Kills the daemon if it still runs, ends the simulator and takes the folder away. */
  async close(): Promise<void> {
    await this.daemon.kill()
    await this.simulator.close()
    rmSync(this.folder, { recursive: true, force: true })
  }

  /** Writes a certificate with its key to a file, and gives the path. */
  writePem(pem: string, name = 'app.pem'): string {
    const path = join(this.folder, name)
    writeFileSync(path, pem, { mode: 0o600 })
    return path
  }

  call(method: string, ...params: XmlRpcValue[]): Promise<XmlRpcValue> {
    return call(this.daemon.url, method, params)
  }

  async provision(appId = 'myapp', topic = TOPIC): Promise<void> {
    const { pem } = this.simulator.issueCertificate({ topic })
    await this.call('provision', appId, pem, 'sandbox', 15)
  }

  /** Waits until the simulator has taken `count`, and the daemon knows the outcome of each. */
  async settled(count: number): Promise<Notification[]> {
    const taken = await this.simulator.waitForNotifications(count)
    for (const { apnsId } of taken) await this.outcome(apnsId)
    return taken
  }

  outcome(apnsId: string): Promise<NotificationView> {
    return waitForOutcome(this.daemon.url, apnsId)
  }
}
