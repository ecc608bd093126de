import type { App } from '../core/apps/app.ts'
import type { Delivery as DeliveryPort, DeliveryStatus } from '../core/ports.ts'
import { AppDelivery, type DeliveryParts } from './app-delivery.ts'

const EXPIRY_INTERVAL_MS = 1000
const CHUNKS_EXPIRED_AT_A_TIME = 500

/** Delivers what the queue holds, app by app, so that the trouble of one is no other's. Nothing else moves a notification. */
export class Delivery implements DeliveryPort {
  readonly #parts: DeliveryParts
  readonly #drainMs: number
  readonly #byApp = new Map<string, AppDelivery>()
  /** Removed apps whose last answers are awaited. */
  readonly #leaving = new Set<Promise<void>>()
  #isRunning = false
  #expiry: NodeJS.Timeout | undefined

  /** @param drainMs how long answers are waited for when delivery stops or an app is removed */
  constructor(parts: DeliveryParts, drainMs: number) {
    this.#parts = parts
    this.#drainMs = drainMs
    parts.queue.onWork((appId) => this.#wake(appId))
  }

  /** Takes up what was left from before. Connections are made for apps that have something to send. */
  async start(): Promise<void> {
    this.#isRunning = true
    this.#expiry = setInterval(() => void this.#expire(), EXPIRY_INTERVAL_MS)
    for (const appId of await this.#parts.queue.appsWithWork()) this.#wake(appId)
  }

  /** Sends nothing more, waits for the answers to what was sent, gives everything back. */
  async stop(): Promise<void> {
    this.#isRunning = false
    clearInterval(this.#expiry)
    const stopping = Array.from(this.#byApp.values(), (delivery) => delivery.stop(this.#drainMs))
    await Promise.all([...stopping, ...this.#leaving])
  }

  reach(app: App, timeoutMs: number): Promise<void> {
    return this.#of(app).reach(timeoutMs)
  }

  appChanged(app: App): void {
    this.#of(app).change(app)
  }

  appRemoved(appId: string): void {
    const delivery = this.#byApp.get(appId)
    this.#byApp.delete(appId)
    if (delivery === undefined) return
    const leaving = delivery.remove(this.#drainMs).finally(() => this.#leaving.delete(leaving))
    this.#leaving.add(leaving)
  }

  status(appId: string): DeliveryStatus {
    return (
      this.#byApp.get(appId)?.status() ?? {
        state: 'sending',
        why: null,
        sinceMs: null,
        nextTryAtMs: null,
        connections: 0,
      }
    )
  }

  /** Ends what has expired in the queue while nobody could send it. */
  async #expire(): Promise<void> {
    try {
      const chunks = await this.#parts.queue.expire(CHUNKS_EXPIRED_AT_A_TIME)
      if (chunks > 0) this.#parts.log.warn({ chunks }, 'chunks expired before they could be sent')
    } catch (error) {
      this.#parts.log.debug({ err: error }, 'could not end what has expired')
    }
  }

  #wake(appId: string): void {
    if (!this.#isRunning) return
    const app = this.#parts.apps.get(appId)
    if (app !== undefined) this.#of(app).wake()
    // an app was removed while something for it was on its way to the disk
    else void this.#cancel(appId)
  }

  async #cancel(appId: string): Promise<void> {
    try {
      await this.#parts.queue.cancelApp(appId)
    } catch (error) {
      this.#parts.log.error(
        { app: appId, err: error },
        'could not cancel what waits for a removed app',
      )
    }
  }

  #of(app: App): AppDelivery {
    let delivery = this.#byApp.get(app.id)
    if (delivery === undefined) {
      delivery = new AppDelivery(this.#parts, app)
      this.#byApp.set(app.id, delivery)
    }
    return delivery
  }
}
