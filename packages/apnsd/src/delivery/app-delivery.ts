import {
  ApnsClient,
  type ApnsClientOptions,
  type ApnsEnvironment,
  type ClientEvent,
  CredentialRefusedError,
} from '@apnsd/apns'
import { ApnsdError } from '../base/errors.ts'
import type { Log } from '../base/log.ts'
import { type App, sharesConnection } from '../core/apps/app.ts'
import type { AppStore, Clock, Lease, OutcomeListener, Queue } from '../core/ports.ts'
import { ChunkRun } from './chunk-run.ts'

/** How clients reach Apple. */
export type Wire = Pick<
  ApnsClientOptions,
  'url' | 'ca' | 'proxy' | 'maxConnections' | 'onKeylog' | 'timings'
>
export type Wires = Readonly<Record<ApnsEnvironment, Wire>>

export interface DeliveryParts {
  readonly apps: AppStore
  readonly queue: Queue
  readonly outcomes: OutcomeListener
  readonly clock: Clock
  readonly log: Log
  readonly random: () => number
  readonly wires: Wires
}

/** Chunks of one app on their way at a time: enough to keep a connection busy, little enough to lose little in a crash. */
const MAX_CHUNKS_IN_HAND = 4
/** Outcomes are written down at least so often, so that a crash sends at most so much of what was answered again. */
const PROGRESS_INTERVAL_MS = 100
/** Time and again a refused credential is tried once more, in case it was mended on Apple's side. */
const PAUSE_MS = 15 * 60_000
/** How long to wait before the disk is tried again when it did not take outcomes. */
const STORAGE_RETRY_MS = 1000
/** setTimeout takes no more. */
const LONGEST_TIMER_MS = 2 ** 31 - 1

/**
 * The delivery of one app.
 *
 *     sending ──Apple refuses the credential──▶ paused ──15 min, provisioned anew──▶ sending
 *        │                                        │
 *        └───────────── stop(), remove() ─────────┴──▶ stopping ──everything in hand given back──▶ stopped
 */
type State =
  | { readonly name: 'sending' }
  | { readonly name: 'paused'; readonly why: string; readonly timer: NodeJS.Timeout }
  | { readonly name: 'stopping'; readonly isRemoved: boolean }

/** Leases an app's chunks, sends them through a client of its own, and gives each back with what came of it. */
export class AppDelivery {
  readonly #parts: DeliveryParts
  readonly #runs = new Map<ChunkRun, Promise<void>>()
  #app: App
  #client: ApnsClient
  #state: State = { name: 'sending' }
  #isPumping = false
  #mustPumpAgain = false
  #due: NodeJS.Timeout | undefined
  #progress: NodeJS.Timeout | undefined

  constructor(parts: DeliveryParts, app: App) {
    this.#parts = parts
    this.#app = app
    this.#client = this.#createClient(app)
  }

  /** Looks for work. Called when there may be some; needless calls do no harm. */
  wake(): void {
    if (this.#state.name !== 'sending') return
    this.#mustPumpAgain = true
    if (!this.#isPumping) void this.#pump()
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
    clearTimeout(this.#due)
    for (const run of this.#runs.keys()) run.release()
    await this.#client.close(drainMs)
    await Promise.all(this.#runs.values())
  }

  #refuseUnlessSending(): void {
    if (this.#state.name === 'paused') throw credentialRefused(this.#state.why)
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
        this.#pause(event.cause.message)
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

  /** Nothing more is sent with this credential: what is in hand goes back to the queue, untried. */
  #pause(why: string): void {
    if (this.#state.name !== 'sending') return
    const timer = setTimeout(() => this.#resume(), PAUSE_MS)
    this.#state = { name: 'paused', why, timer }
    this.#parts.log.error(
      { app: this.#app.id, environment: this.#app.environment, reason: why },
      'Apple refuses the credential: the app is paused, its notifications are kept; provision it with a good one',
    )
    this.#releaseClient()
  }

  /** Sends again after a pause, or with another credential: on a new client, the old one draining. */
  #resume(): void {
    if (this.#state.name === 'stopping') return
    if (this.#state.name === 'paused') clearTimeout(this.#state.timer)
    this.#state = { name: 'sending' }
    this.#releaseClient()
    this.#client = this.#createClient(this.#app)
    this.wake()
  }

  #releaseClient(): void {
    for (const run of this.#runs.keys()) run.release()
    void this.#client.close()
  }

  async #pump(): Promise<void> {
    this.#isPumping = true
    try {
      while (this.#mustPumpAgain && this.#state.name === 'sending') {
        this.#mustPumpAgain = false
        await this.#leaseMore()
      }
    } catch (error) {
      this.#parts.log.error({ app: this.#app.id, err: error }, 'could not lease from the queue')
      this.#wakeIn(STORAGE_RETRY_MS)
    } finally {
      this.#isPumping = false
    }
  }

  async #leaseMore(): Promise<void> {
    const room = MAX_CHUNKS_IN_HAND - this.#runs.size
    if (room <= 0) return // the next one that ends wakes us
    const leases = await this.#parts.queue.lease(this.#app.id, room)
    for (const lease of leases) this.#start(lease)
    if (leases.length === room) return
    const dueMs = await this.#parts.queue.nextDueMs(this.#app.id)
    if (dueMs !== null) this.#wakeIn(dueMs - this.#parts.clock.now())
  }

  #wakeIn(delayMs: number): void {
    clearTimeout(this.#due)
    if (this.#state.name !== 'sending') return
    this.#due = setTimeout(() => this.wake(), Math.min(Math.max(1, delayMs), LONGEST_TIMER_MS))
  }

  #start(lease: Lease): void {
    const { promise, resolve } = Promise.withResolvers<void>()
    const run = new ChunkRun(lease, this.#app, this.#parts.random, {
      credentialRefused: (reason) => this.#onCredentialRefused(lease, reason),
      done: () => void this.#giveBack(run).then(resolve),
    })
    this.#runs.set(run, promise)
    // leasing took a turn of the event loop, in which the delivery may have been halted
    if (this.#state.name !== 'sending') run.release()
    this.#progress ??= setInterval(() => this.#writeProgress(), PROGRESS_INTERVAL_MS)
    if (run.length === 0) void this.#giveBack(run).then(resolve)
    else this.#client.submit(run)
  }

  #onCredentialRefused(lease: Lease, reason: string): void {
    const app = this.#parts.apps.get(lease.chunk.appId)
    // an answer to what was sent with an earlier credential says nothing about the present one
    const isCurrent = app !== undefined && sharesConnection(app, this.#app)
    if (isCurrent && this.#isRunOfCurrentClient(lease)) this.#pause(`Apple answered ${reason}.`)
  }

  #isRunOfCurrentClient(lease: Lease): boolean {
    for (const run of this.#runs.keys()) if (run.lease === lease) return !run.isReleased
    return false
  }

  #writeProgress(): void {
    for (const run of this.#runs.keys()) {
      if (!run.dirty) continue
      run.dirty = false
      this.#parts.queue.progress(run.lease).catch((error: unknown) => {
        run.dirty = true
        this.#parts.log.error({ app: this.#app.id, err: error }, 'could not write outcomes down')
      })
    }
  }

  /** Gives a chunk back to the queue, however often the disk must be asked to take its outcomes. */
  async #giveBack(run: ChunkRun): Promise<void> {
    run.dirty = false
    while (!(await this.#tryToGiveBack(run))) {
      if (this.#state.name === 'stopping') break // it is still in the queue, and sent again at the next start
      await new Promise((resolve) => setTimeout(resolve, STORAGE_RETRY_MS))
    }
    this.#runs.delete(run)
    if (this.#runs.size === 0) {
      clearInterval(this.#progress)
      this.#progress = undefined
    }
    this.#parts.outcomes.chunkGivenBack(run.lease)
    this.wake()
  }

  async #tryToGiveBack({ lease, retryDelayMs, hasRetries }: ChunkRun): Promise<boolean> {
    const { queue, log } = this.#parts
    const isRemoved = this.#state.name === 'stopping' && this.#state.isRemoved
    try {
      if (lease.outcomes.waiting === 0) await queue.ack(lease)
      else if (isRemoved) await queue.term(lease, 'cancelled')
      else await queue.nak(lease, retryDelayMs, hasRetries)
      return true
    } catch (error) {
      log.error(
        { app: lease.chunk.appId, err: error },
        'could not write outcomes down, trying again',
      )
      return false
    }
  }
}

/** The text is pyapns' own; its clients match on the fault, people read the text. */
const appleUnreachable = (): ApnsdError =>
  new ApnsdError('apple-unreachable', 'Connection to the APNS server could not be made.')

const credentialRefused = (why: string): ApnsdError =>
  new ApnsdError('credential-refused', `Connection to the APNS server could not be made. ${why}`, {
    hint: 'Provision the app with a credential that Apple takes.',
  })
