import { randomUUID } from 'node:crypto'
import type { LabelledTopic } from './apple-extensions.ts'
import { Authority } from './authority.ts'
import type { ConnectionView } from './connection.ts'
import { ControlServer } from './control-server.ts'
import { type DeviceScreen, Devices } from './devices.ts'
import { ENVIRONMENTS } from './environment.ts'
import type { ExchangeWorld } from './exchange.ts'
import { type Notification, NotificationLog } from './notification-log.ts'
import { type IssuedKey, type KeyRequest, ProviderKeys } from './provider-tokens.ts'
import { PushServer } from './push-server.ts'
import type { Script } from './script.ts'
import { ScriptPlayer } from './script-player.ts'
import type {
  CertificateOptions,
  IssuedCertificate,
  KillOptions,
  SimulatorOptions,
} from './simulator-options.ts'
import { StateFolder } from './state-folder.ts'
import { urlHost } from './url-host.ts'

const DAY_MS = 86_400_000
const LOOPBACK = { host: '127.0.0.1', port: 0 }

interface Parts {
  authority: Authority
  keys: ProviderKeys
  devices: Devices
  log: NotificationLog
  script: ScriptPlayer
  now: () => number
  folder: StateFolder | null
}

/** Is a stand-in for Apple's push service: takes pushes as Apple does, and shows what it took. */
export class Simulator {
  readonly authority: Authority
  readonly #parts: Parts
  readonly #push: PushServer
  readonly #control: ControlServer | null = null
  readonly #host: string

  private constructor(parts: Parts, host: string, push: PushServer, control: ControlServer | null) {
    this.authority = parts.authority
    this.#parts = parts
    this.#host = host
    this.#push = push
    this.#control = control
  }

  /** Starts a simulator. Rejects when an address cannot be had; then nothing is left running. */
  static async start(options: SimulatorOptions = {}): Promise<Simulator> {
    const parts = buildParts(options)
    const { authority, script } = parts
    const listen = options.listen ?? LOOPBACK
    const world = buildWorld(parts, options)
    const push = await PushServer.listen({ listen, authority, script, world })
    const controlAt = options.control === undefined ? LOOPBACK : options.control
    if (controlAt === null) return new Simulator(parts, listen.host, push, null)
    try {
      const control = await ControlServer.listen(controlAt)
      const simulator = new Simulator(parts, listen.host, push, control)
      control.serve(simulator)
      return simulator
    } catch (error) {
      await push.close()
      throw error
    }
  }

  /** Address to push to, such as `https://127.0.0.1:49152`. */
  get url(): string {
    return `https://${urlHost(this.#host)}:${this.#push.port}`
  }

  /** Address of the control server, such as `http://127.0.0.1:49153`; null without one. */
  get controlUrl(): string | null {
    return this.#control === null ? null : this.#control.url
  }

  /** Numbers of all answers, those that are no longer kept included. */
  get totals(): { accepted: number; answers: number } {
    const { acceptedTotal, answersTotal } = this.#parts.log
    return { accepted: acceptedTotal, answers: answersTotal }
  }

  /** Issues a push certificate. Takes some tenths of a second, for the RSA key. */
  issueCertificate(options: CertificateOptions): IssuedCertificate {
    const { topic, environments = [...ENVIRONMENTS] } = options
    const nowMs = this.#parts.now()
    const issued = this.authority.issuePushCertificate({
      topic,
      environments,
      topics: options.topics ?? (environments.length > 1 ? universalTopics(topic) : []),
      appleExtensions: options.appleExtensions ?? true,
      notBefore: options.notBefore ?? new Date(nowMs - DAY_MS),
      notAfter: options.notAfter ?? new Date(nowMs + 365 * DAY_MS),
    })
    return { ...issued, pem: `${issued.certificatePem}${issued.privateKeyPem}` }
  }

  /**
   * Issues a key to sign provider tokens with.
   * @throws {SimulatorError} BAD_INPUT when `key` is given and is no P-256 key in PEM.
   */
  issueKey(options: KeyRequest = {}): IssuedKey {
    const issued = this.#parts.keys.issue(options)
    this.#parts.folder?.keepKey({ ...options, ...issued })
    return issued
  }

  /** Makes a device token answer 410 from now on, `Unregistered` since now unless told otherwise. */
  killDevice(deviceToken: string, options: KillOptions = {}): void {
    const { reason = 'Unregistered', timestampMs = this.#parts.now() } = options
    this.#parts.devices.kill(deviceToken.toLowerCase(), { reason, timestampMs })
  }

  /**
   * Plays a script of faults, in place of the one before.
   * @throws {SimulatorError} BAD_INPUT when it is malformed; the one before goes on.
   */
  play(script: Script): void {
    this.#parts.script.play(script)
  }

  /** Plays no faults any more. */
  clearScript(): void {
    this.#parts.script.clear()
  }

  /** Copies the list of what was accepted since the last clearing, oldest first; the newest 100 000 are kept. */
  notifications(): Notification[] {
    return this.#parts.log.accepted()
  }

  /** Copies the list of everything answered, rejections included; kept like `notifications()`. */
  answers(): Notification[] {
    return this.#parts.log.answers()
  }

  /** Forgets accepted notifications and answers. Devices keep their screens. */
  clearNotifications(): void {
    this.#parts.log.clear()
  }

  /**
   * Waits until so many notifications were accepted since the last clearing, and gives those that are kept.
   * @throws {SimulatorError} CLOSED when the simulator is closed first.
   */
  waitForNotifications(count: number): Promise<Notification[]> {
    return this.#parts.log.waitForAccepted(count)
  }

  /**
   * Waits until so many requests were answered since the start, and gives those answers that are kept; see `totals`.
   * @throws {SimulatorError} CLOSED when the simulator is closed first.
   */
  waitForAnswers(count: number): Promise<Notification[]> {
    return this.#parts.log.waitForAnswered(count)
  }

  /** Shows the connections, the last thousand closed ones included. */
  connections(): ConnectionView[] {
    return this.#push.connections()
  }

  /** Shows a device's screen; undefined for a device token that was neither used nor killed. */
  device(deviceToken: string): DeviceScreen | undefined {
    return this.#parts.devices.screen(deviceToken.toLowerCase())
  }

  /** Destroys all connections and stops. Never rejects, and may be called again. */
  async close(): Promise<void> {
    this.#parts.log.close()
    await Promise.all([this.#push.close(), this.#control?.close()])
  }
}

function buildParts({ authority, folder: path, now = Date.now }: SimulatorOptions): Parts {
  const folder = path === undefined ? null : StateFolder.open(path)
  const keys = new ProviderKeys()
  for (const key of folder?.keys() ?? []) keys.issue(key)
  const known = authority ?? folder?.authority() ?? Authority.create()
  folder?.keepAuthority(known)
  return {
    authority: Authority.from(known),
    keys,
    folder,
    devices: new Devices(),
    log: new NotificationLog(),
    script: new ScriptPlayer(),
    now,
  }
}

function buildWorld(parts: Parts, options: SimulatorOptions): ExchangeWorld {
  const { devices, keys, log, now } = parts
  return {
    environment: options.environment ?? 'any',
    streamLimit: options.streamLimit ?? 1000,
    checkProviderToken: (providerToken) => keys.check(providerToken),
    deathOf: (deviceToken) => devices.deathOf(deviceToken),
    bundleIdOf: (deviceToken) => devices.bundleIdOf(deviceToken),
    devices,
    log,
    now,
    newId: randomUUID,
  }
}

/** Topics of a certificate "Apple Push Services": the app, its calls and its complication. */
function universalTopics(topic: string): LabelledTopic[] {
  return [
    { topic, label: 'app' },
    { topic: `${topic}.voip`, label: 'voip' },
    { topic: `${topic}.complication`, label: 'complication' },
  ]
}
