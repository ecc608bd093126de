import {
  ApnsClient,
  type ApnsNotification,
  type ClientEvent,
  CredentialRefusedError,
  type SendResult,
} from '@apnsd/apns'
import { ApnsdError } from '../base/errors.ts'
import { type App, sharesConnection } from '../core/apps/app.ts'
import type { Health } from '../core/health.ts'
import { DeviceTokenBreaker } from '../core/policy/device-token-breaker.ts'
import type { AppStore, DeliveryStatus } from '../core/ports.ts'
import { ChunkRun, type ChunkRunHost } from './chunk-run.ts'
import { LeasedChunks, type LeasedChunksParts } from './leased-chunks.ts'
import { OtherEnvironment } from './other-environment.ts'
import { ThrottledDeviceTokens } from './throttled-device-tokens.ts'
import type { Wires } from './wires.ts'

export interface DeliveryParts extends LeasedChunksParts {
  readonly apps: AppStore
  readonly health: Health
  readonly random: () => number
  readonly wires: Wires
}

/** Time and again a paused app is tried once more, in case it was mended on Apple's side. */
const PAUSE_MS = 15 * 60_000

/** Why an app is paused: a code for machines, and what to tell people. */
const PAUSES = {
  'credential-refused':
    'Apple refuses the credential: the app is paused, its notifications are kept; provision it with a good one',
  'device-tokens-rejected':
    'Apple rejects nearly all device tokens of the app, so its environment or topic is wrong: the app is paused, its ' +
    'notifications are kept; provision it with the right ones, or with policy.deviceTokenBreaker false to send on',
} as const
type PauseCode = keyof typeof PAUSES

/**
 * The delivery of one app.
 *
 *     sending ──Apple refuses the credential, or nearly all device tokens──▶ paused ──15 min, provisioned anew──▶ sending
 *        │                                                                     │
 *        └─────────────────── stop(), remove() ────────────────────────────────┴──▶ stopping ──all given back──▶ stopped
 */
type State =
  | { readonly name: 'sending' }
  | {
      readonly name: 'paused'
      readonly code: PauseCode
      readonly why: string
      readonly sinceMs: number
      readonly timer: NodeJS.Timeout
    }
  | { readonly name: 'stopping'; readonly isRemoved: boolean }

/** Sends an app's chunks through a client of its own, and heeds what Apple says about the app as a whole. */
export class AppDelivery {
  readonly #parts: DeliveryParts
  readonly #chunks: LeasedChunks
  readonly #runHost: ChunkRunHost
  readonly #breaker = new DeviceTokenBreaker()
  #app: App
  #client: ApnsClient
  #otherEnvironment: OtherEnvironment | null = null
  #state: State = { name: 'sending' }

  constructor(parts: DeliveryParts, app: App) {
    this.#parts = parts
    this.#app = app
    this.#client = this.#createClient(app)
    this.#runHost = this.#createRunHost()
    this.#chunks = this.#createLeasedChunks(app.id)
  }

  /** Looks for work. Called when there may be some; needless calls do no harm. */
  wake(): void {
    if (this.#state.name === 'sending') this.#chunks.wake()
  }

  /** Follows a change of the app. Where the credential or the environment is another, new connections are made. */
  change(app: App): void {
    const swap = !sharesConnection(this.#app, app)
    this.#app = app
    if (swap || this.#state.name === 'paused') this.#resume()
    if (app.reachedAtMs === null) void this.#client.connect().catch(() => undefined) // told as an event
    this.wake()
  }

  /**
   * Resolves when a connection has reached Apple with the app's present credential; at once when one ever has.
   * @throws {ApnsdError} apple-unreachable, credential-refused
   */
  async reach(timeoutMs: number): Promise<void> {
    this.#refuseUnlessSending()
    if (this.#app.reachedAtMs !== null) return
    let timer: NodeJS.Timeout | undefined
    const timeUp = new Promise<never>((_resolve, reject) => {
      timer = setTimeout(() => reject(appleUnreachable()), timeoutMs)
    })
    try {
      await Promise.race([this.#connected(), timeUp])
    } finally {
      clearTimeout(timer)
    }
  }

  status(): DeliveryStatus {
    const { connections } = this.#client
    if (this.#state.name !== 'paused')
      return { state: 'sending', why: null, sinceMs: null, nextTryAtMs: null, connections }
    const { why, sinceMs } = this.#state
    return { state: 'paused', why, sinceMs, nextTryAtMs: sinceMs + PAUSE_MS, connections }
  }

  /** Sends nothing more; resolves when the answers are in, or their time is up, and everything is given back. */
  stop(drainMs: number): Promise<void> {
    return this.#stop(drainMs, false)
  }

  /** As {@link stop}, and what was not sent is cancelled. */
  remove(drainMs: number): Promise<void> {
    return this.#stop(drainMs, true)
  }

  async #stop(drainMs: number, isRemoved: boolean): Promise<void> {
    if (this.#state.name === 'paused') clearTimeout(this.#state.timer)
    this.#state = { name: 'stopping', isRemoved }
    this.#chunks.releaseAll()
    this.#parts.health.set(`app ${this.#app.id}`, null, { isFatal: false })
    await Promise.all([this.#client.close(drainMs), this.#otherEnvironment?.close(drainMs)])
    await this.#chunks.givenBack()
  }

  #refuseUnlessSending(): void {
    if (this.#state.name === 'paused' && this.#state.code === 'credential-refused')
      throw credentialRefused(this.#state.why)
    if (this.#state.name === 'stopping')
      throw new ApnsdError('shutting-down', 'Delivery is being stopped.')
  }

  async #connected(): Promise<void> {
    // a change of the app in the meantime closes the client that is waited for: go on with its successor
    for (;;) {
      const client = this.#client
      try {
        await client.connect()
        return
      } catch (error) {
        if (error instanceof CredentialRefusedError) throw credentialRefused(error.message)
        this.#refuseUnlessSending()
        if (client === this.#client) throw appleUnreachable()
      }
    }
  }

  #createClient(app: App): ApnsClient {
    const client: ApnsClient = new ApnsClient({
      ...this.#parts.wires[app.environment],
      credential: app.credential,
      now: () => this.#parts.clock.now(),
      random: this.#parts.random,
      onEvent: (event) => {
        if (client === this.#client) this.#onClientEvent(app, event)
      },
    })
    return client
  }

  #createLeasedChunks(appId: string): LeasedChunks {
    const state = (): State => this.#state
    return new LeasedChunks(this.#parts, {
      appId,
      get isSending() {
        return state().name === 'sending'
      },
      get isStopping() {
        return state().name === 'stopping'
      },
      get fate() {
        const now = state()
        return now.name === 'stopping' && now.isRemoved ? 'cancel' : 'keep'
      },
      createRun: (lease) => new ChunkRun(lease, this.#app, this.#runHost),
      send: (run) =>
        this.#client.submit(run, { isUrgent: run.lease.chunk.options.lane === 'small' }),
    })
  }

  #createRunHost(): ChunkRunHost {
    const { clock, random } = this.#parts
    return {
      now: () => clock.now(),
      random,
      throttled: new ThrottledDeviceTokens(),
      credentialRefused: (run, reason) => {
        // an answer to what was sent with an earlier credential says nothing about the present one
        if (this.#isCurrent(run)) this.#pause('credential-refused', `Apple answered ${reason}.`)
      },
      judged: (run, isSuspect) => this.#judge(run, isSuspect),
      tryElsewhere: (notification, settled) => this.#tryElsewhere(notification, settled),
      done: (run) => void this.#chunks.giveBack(run),
    }
  }

  #isCurrent(run: ChunkRun): boolean {
    const app = this.#parts.apps.get(this.#app.id)
    return !run.isReleased && app !== undefined && sharesConnection(app, this.#app)
  }

  /** @returns true where the answer is not to be believed */
  #judge(run: ChunkRun, isSuspect: boolean): boolean {
    if (!this.#app.policy.deviceTokenBreaker) return false
    if (this.#isCurrent(run)) this.#breaker.note(isSuspect)
    if (!this.#breaker.isTripped) return false
    this.#pause('device-tokens-rejected', 'Apple rejects nearly all of its device tokens.')
    return isSuspect
  }

  #tryElsewhere(notification: ApnsNotification, settled: (result: SendResult) => void): boolean {
    if (this.#state.name !== 'sending' || !OtherEnvironment.isOpenTo(this.#app)) return false
    const { wires, clock, random } = this.#parts
    this.#otherEnvironment ??= new OtherEnvironment(this.#app, wires, () => clock.now(), random)
    this.#otherEnvironment.send(notification, settled)
    return true
  }

  #onClientEvent(app: App, event: ClientEvent): void {
    const { log } = this.#parts
    const about = { app: app.id, environment: app.environment }
    switch (event.type) {
      case 'connected': {
        const { address, connections } = event
        log.info({ ...about, address, connections }, 'connected to Apple')
        void this.#noteReached(app)
        return
      }
      case 'disconnected': {
        const { cause, connections, retryInMs } = event
        const details = { ...about, cause: cause.message, connections, retryInMs }
        if (connections > 0) log.info(details, 'a connection to Apple ended')
        else log[retryInMs === null ? 'info' : 'warn'](details, 'no connection to Apple')
        return
      }
      case 'retired':
        log.info(
          { ...about, why: event.why, connections: event.connections },
          'a connection to Apple was retired',
        )
        return
      case 'refused':
        this.#pause('credential-refused', event.cause.message)
    }
  }

  async #noteReached(app: App): Promise<void> {
    if (app.reachedAtMs !== null || this.#app.reachedAtMs !== null) return
    const atMs = this.#parts.clock.now()
    this.#app = { ...this.#app, reachedAtMs: atMs }
    try {
      await this.#parts.apps.markReached(app.id, app.credential.fingerprint, atMs)
    } catch (error) {
      this.#parts.log.error(
        { app: app.id, err: error },
        'could not remember that Apple was reached',
      )
    }
  }

  /** Nothing more is sent for now: what is in hand goes back to the queue, untried. */
  #pause(code: PauseCode, why: string): void {
    if (this.#state.name !== 'sending') return
    const timer = setTimeout(() => this.#resume(), PAUSE_MS)
    const sinceMs = this.#parts.clock.now()
    this.#state = { name: 'paused', code, why, sinceMs, timer }
    const { id, environment } = this.#app
    this.#parts.log.error({ app: id, environment, reason: why }, PAUSES[code])
    this.#parts.health.set(
      `app ${id}`,
      { code, detail: `${why} ${PAUSES[code]}.`, sinceMs },
      { isFatal: false },
    )
    this.#releaseClient()
  }

  /** Sends again after a pause, or with another credential: on a new client, the old one draining. */
  #resume(): void {
    if (this.#state.name === 'stopping') return
    if (this.#state.name === 'paused') clearTimeout(this.#state.timer)
    this.#state = { name: 'sending' }
    this.#breaker.reset()
    this.#parts.health.set(`app ${this.#app.id}`, null, { isFatal: false })
    this.#releaseClient()
    this.#client = this.#createClient(this.#app)
    this.wake()
  }

  #releaseClient(): void {
    this.#chunks.releaseAll()
    void this.#client.close()
    void this.#otherEnvironment?.close()
    this.#otherEnvironment = null
  }
}

/** The text is pyapns' own; its clients match on the fault, people read the text. */
const appleUnreachable = (): ApnsdError =>
  new ApnsdError('apple-unreachable', 'Connection to the APNS server could not be made.')

const credentialRefused = (why: string): ApnsdError =>
  new ApnsdError('credential-refused', `Connection to the APNS server could not be made. ${why}`, {
    hint: 'Provision the app with a credential that Apple takes.',
  })
