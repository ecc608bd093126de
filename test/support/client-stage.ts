import assert from 'node:assert/strict'
import {
  ApnsClient,
  type ApnsClientOptions,
  type ClientEvent,
  type Credential,
  type NotificationToSend,
  readCertificate,
  readSigningKey,
  type SendResult,
} from '@apnsd/apns'
import { Simulator, type SimulatorOptions } from '@apnsd/simulator'
import { EventLog } from './event-log.ts'

export const TOPIC = 'com.example.app'

export const NOTIFICATION = {
  deviceToken: 'ab'.repeat(32),
  payload: '{"aps":{"alert":"hi"}}',
  topic: TOPIC,
  pushType: 'alert',
} as const satisfies NotificationToSend

/** The `apns-id` of the notification at an index of a source. */
export const apnsIdOf = (index: number): string =>
  `00000000-0000-4000-8000-${String(index).padStart(12, '0')}`

/** The simulator, a certificate that it issued, and clients of it. */
export class ClientStage {
  readonly simulator: Simulator
  readonly certificate: Credential
  readonly #clients: ApnsClient[] = []

  private constructor(simulator: Simulator) {
    this.simulator = simulator
    const { pem } = simulator.issueCertificate({ topic: TOPIC })
    this.certificate = readCertificate(pem)
  }

  static async open(options: SimulatorOptions = {}): Promise<ClientStage> {
    return new ClientStage(await Simulator.start(options))
  }

  /** Makes a client, with the certificate unless told otherwise, and collects what it tells. */
  createClient(options: Partial<ApnsClientOptions> = {}): {
    client: ApnsClient
    events: EventLog<ClientEvent>
  } {
    const events = new EventLog<ClientEvent>()
    const client = new ApnsClient({
      url: this.simulator.url,
      credential: this.certificate,
      ca: [this.simulator.authority.certificatePem],
      onEvent: (event) => events.push(event),
      ...options,
    })
    this.#clients.push(client)
    return { client, events }
  }

  /** Issues a key that the simulator knows. */
  issueKey(): Credential {
    const { key, keyId, teamId } = this.simulator.issueKey()
    return readSigningKey(key, keyId, teamId)
  }

  /** Submits `count` notifications as one source and resolves with what became of each. */
  submit(client: ApnsClient, count: number): Promise<SendResult[]> {
    return new Promise((resolve) => {
      const results: SendResult[] = []
      let open = count
      client.submit({
        length: count,
        take: (index) => ({ ...NOTIFICATION, apnsId: apnsIdOf(index) }),
        settled: (index, result) => {
          assert.equal(results[index], undefined, `notification ${index} was settled twice`)
          results[index] = result
          open -= 1
          if (open === 0) resolve(results)
        },
      })
    })
  }

  /** Ends the clients, and has the simulator forget what the test before did. */
  async reset(): Promise<void> {
    this.simulator.clearScript()
    this.simulator.clearNotifications()
    await Promise.all(this.#clients.splice(0).map((client) => client.close(0)))
  }

  async close(): Promise<void> {
    await this.reset()
    await this.simulator.close()
  }
}
