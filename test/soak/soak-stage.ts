import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Simulator } from '@apnsd/simulator'
import { call } from '../../packages/apnsd/src/doors/cli/demo/daemon-client.ts'
import { ApnsdCommand } from '../support/apnsd-command.ts'
import { INSPECT } from '../support/inspector.ts'

/** How long the daemon waits for answers at SIGTERM: less than a silent stream lasts, so that some are cut off. */
const DRAIN_SECONDS = 2
const CONNECT_TIMEOUT_S = 15

/** Apple's stand-in in this process, and one daemon after another on the same data folder, each in its own. */
export class SoakStage {
  readonly simulator: Simulator
  readonly #folder = mkdtempSync(join(tmpdir(), 'apnsd-soak-'))
  #command!: ApnsdCommand
  #url = ''
  #serving = Promise.withResolvers<void>()
  /** How many daemons there have been. */
  lives = 0

  private constructor(simulator: Simulator) {
    this.simulator = simulator
    writeFileSync(join(this.#folder, 'ca.pem'), simulator.authority.certificatePem)
  }

  static async open(): Promise<SoakStage> {
    const stage = new SoakStage(await Simulator.start({ control: null }))
    await stage.start()
    return stage
  }

  get command(): ApnsdCommand {
    return this.#command
  }

  /** Resolves with the daemon's address, when there is a daemon. */
  async serving(): Promise<string> {
    await this.#serving.promise
    return this.#url
  }

  async start(): Promise<void> {
    const { url } = this.simulator
    const folder = this.#folder
    this.#command = ApnsdCommand.start(
      [
        'serve',
        ...['--listen', '127.0.0.1:0', '--data', join(folder, 'data')],
        ...['--apns-sandbox', url, '--apns-production', url, '--apns-ca', join(folder, 'ca.pem')],
      ],
      { nodeOptions: [INSPECT], env: { APNSD_DRAIN_SECONDS: String(DRAIN_SECONDS) } },
    )
    this.lives += 1
    const ready = await this.#command.ready()
    this.#url = String(ready['url'])
    this.#serving.resolve()
  }

  /** Ends the daemon; it is not serving until {@link start}. Gives its exit code. */
  end(signal: 'SIGTERM' | 'SIGKILL'): Promise<number | null> {
    this.#serving = Promise.withResolvers()
    return this.#command.end(signal)
  }

  /** Creates an app with a certificate, or with a signing key. */
  async provision(appId: string, kind: 'certificate' | 'token', topic: string): Promise<void> {
    if (kind === 'certificate') {
      const { pem } = this.simulator.issueCertificate({ topic })
      await call(this.#url, 'provision', [appId, pem, 'production', CONNECT_TIMEOUT_S])
      return
    }
    const { key, keyId, teamId } = this.simulator.issueKey()
    const response = await fetch(`${this.#url}/v1/apps/${appId}`, {
      method: 'PUT',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({
        environment: 'sandbox',
        topic,
        credential: { type: 'token', key, keyId, teamId },
      }),
    })
    if (!response.ok) throw new Error(await response.text())
  }

  async close(): Promise<void> {
    await this.end('SIGKILL')
    await this.simulator.close()
    rmSync(this.#folder, { recursive: true, force: true })
  }
}
