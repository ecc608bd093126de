import { ApnsClient, type ApnsNotification, type SendResult } from '@apnsd/apns'
import type { App, Environment } from '../core/apps/app.ts'
import type { Wires } from './wires.ts'

const OTHER: Readonly<Record<Environment, Environment>> = {
  sandbox: 'production',
  production: 'sandbox',
}

/** A way to Apple's other environment for an app that wants stray device tokens tried there. */
export class OtherEnvironment {
  readonly #client: ApnsClient

  /** @param wires how Apple is reached */
  constructor(app: App, wires: Wires, now: () => number, random: () => number) {
    const wire = wires[OTHER[app.environment]]
    this.#client = new ApnsClient({ ...wire, credential: app.credential, now, random })
  }

  /** False where the credential is good for the one environment only. */
  static isOpenTo({ environment, credential }: App): boolean {
    return credential.type === 'token' || credential.environments.includes(OTHER[environment])
  }

  send(notification: ApnsNotification, settled: (result: SendResult) => void): void {
    this.#client.submit({
      length: 1,
      take: () => notification,
      settled: (_index, result) => settled(result),
    })
  }

  /** What was not sent comes back as not processed. */
  close(drainMs?: number): Promise<void> {
    return this.#client.close(drainMs)
  }
}
