import type { App } from './apps/app.ts'
import type { Chunk } from './notifications/chunk.ts'
import type { OutcomeDetail, Outcomes, State } from './outcome.ts'
import type { FeedbackEntry, FeedbackRecord } from './provider-requests.ts'

/** The time, passed in so that tests can set it. */
export interface Clock {
  /** ms since the epoch. */
  now(): number
}

/**
 * Remembers apps and their credentials. What a call has resolved to is on disk.
 * @throws {ApnsdError} storage-failed; nothing has changed then
 */
export interface AppStore {
  get(appId: string): App | undefined
  /** By id, in order. */
  list(): App[]
  /** Creates the app, or replaces it whole. */
  put(app: App): Promise<void>
  /** Remembers that a connection with this credential reached Apple; does nothing if the app has another by now. */
  markReached(appId: string, fingerprint: string, atMs: number): Promise<void>
  /** False where there was none. */
  remove(appId: string): Promise<boolean>
}

/** A chunk in hand. The outcomes are the holder's to fill in; the queue reads them when the chunk is given back. */
export interface Lease {
  readonly chunk: Chunk
  /** The attempt this lease is for: 1, or one more than the number of times that the chunk was given back by `nak`. */
  readonly attempt: number
  /** Those of earlier leases included. */
  readonly outcomes: Outcomes
}

/**
 * Where chunks wait until everything in them has ended.
 *
 * - `enqueue` resolves when all the chunks are on disk, or rejects and has kept none. Chunks enqueued together or at the
 *   same time may share one commit.
 * - `lease` hands each waiting chunk to one holder at a time. A holder that dies gives its leases back by dying: after a
 *   crash, and for queues with several daemons after the lease has run out, the chunk is leased anew, with the outcomes
 *   of its last `progress` or `nak`. So a notification may be sent twice, but never not at all.
 * - `progress`, `ack`, `nak` and `term` write down the outcomes so far, with what follows from them (feedback), in one
 *   transaction; when they reject, nothing was written and the lease is still held.
 * - `ack` ends the chunk: all its outcomes are final. Its payloads are forgotten, its outcomes kept.
 * - `nak` gives it back, to be leased again after `delayMs`; `countsAsAttempt` is false where nothing was tried.
 * - `term` ends a chunk whose rest can never be sent; what still waits is settled as `state`.
 */
export interface Queue {
  enqueue(chunks: readonly Chunk[]): Promise<void>
  /** The longest waiting chunks of an app that are due, at most `limit`. */
  lease(appId: string, limit: number): Promise<Lease[]>
  /** When the next chunk of an app is due that nobody holds: ms since the epoch, null for none. */
  nextDueMs(appId: string): Promise<number | null>
  /** Apps that have chunks waiting. */
  appsWithWork(): Promise<string[]>
  progress(lease: Lease): Promise<void>
  ack(lease: Lease): Promise<void>
  nak(lease: Lease, delayMs: number, countsAsAttempt: boolean): Promise<void>
  term(lease: Lease, state: Exclude<State, 'waiting'>, detail?: OutcomeDetail): Promise<void>
  /** What became of one notification; undefined where no such was ever taken. */
  find(batchId: string, index: number): Promise<NotificationRecord | undefined>
  /** Ends everything that waits for an app as `cancelled`; chunks in hand end with their holder. */
  cancelApp(appId: string): Promise<void>
  /** Calls back whenever an app has got chunks to lease, by `enqueue` or by `nak`. */
  onWork(listener: (appId: string) => void): void
}

/** Told of each chunk that delivery has given back to the queue, with its outcomes so far. */
export interface OutcomeListener {
  chunkGivenBack(lease: Lease): void
}

/** What is known of one notification. */
export interface NotificationRecord {
  readonly apnsId: string
  readonly batchId: string
  readonly appId: string
  readonly deviceToken: string
  readonly state: State
  readonly detail: OutcomeDetail | null
  /** How many times its chunk has been given to Apple. */
  readonly attempts: number
  readonly enqueuedAtMs: number
}

/**
 * Told of outcomes as they are written down, within the same transaction: what it writes is kept with them or not at
 * all, and is written once.
 */
export interface OutcomeSink {
  /**
   * @param details by index into the chunk; only outcomes that have a detail
   * @param atMs ms since the epoch
   */
  record(chunk: Chunk, details: ReadonlyMap<number, OutcomeDetail>, atMs: number): void
}

/**
 * Device tokens that Apple declared dead, and suspects: those that are dead unless our settings are wrong. One entry for
 * each app and device token.
 * @throws {ApnsdError} storage-failed
 */
export interface FeedbackStore {
  /** Hands out the dead that have not been handed out, oldest first, and remembers that they were. */
  take(appId: string, atMs: number): Promise<FeedbackEntry[]>
  /** The dead recorded at or after `sinceMs`, handed out before or not, oldest first. Changes nothing. */
  since(appId: string, sinceMs: number): Promise<FeedbackEntry[]>
  /**
   * Dead and suspects after a position, in the order of recording, at most `limit`. Changes nothing.
   * @throws {ApnsdError} invalid-argument where nothing was ever recorded at `after`: it is of another data folder
   */
  read(appId: string, after: number, limit: number): Promise<FeedbackRecord[]>
}

/** What the provider asks of delivery. */
export interface Delivery {
  /**
   * Resolves when a connection with the app's present credential has reached Apple.
   * @param timeoutMs how long to wait
   * @throws {ApnsdError} apple-unreachable when the time is up, credential-refused as soon as Apple has refused it
   */
  reach(app: App, timeoutMs: number): Promise<void>
  /** An app is new or has changed: new connections use what it says now, old ones drain. */
  appChanged(app: App): void
  appRemoved(appId: string): void
}
