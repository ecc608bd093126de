import type { App } from './apps/app.ts'
import type { Chunk } from './notifications/chunk.ts'
import type { FinalState, OutcomeDetail, Outcomes, State } from './outcome.ts'
import type { BatchOptions, Lane } from './policy/lanes.ts'
import type { FeedbackEntry, FeedbackRecord } from './provider-requests.ts'

/** The time, passed in so that tests can set it. */
export interface Clock {
  /** ms since the epoch. People and their time servers set it, so it can jump. */
  now(): number
  /** ms since some moment in the past: never set back or forward. For how long something took. */
  elapsed(): number
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
  /** Those of earlier leases included. */
  readonly outcomes: Outcomes
  /** ms since the epoch, by the clock of the daemon that took it in. */
  readonly enqueuedAtMs: number
  /** True once somebody has cancelled the chunk: what has not been sent is not to be. */
  readonly isCancelled: boolean
}

/** What became of a submission that was to be enqueued. */
export type Enqueued =
  | { readonly type: 'enqueued' }
  /** The same call came before: nothing was enqueued, and this is what it was answered. */
  | { readonly type: 'repeated'; readonly answer: string }
  /** Another call came before with the same key: nothing was enqueued. */
  | { readonly type: 'conflict' }

/** Makes a call that comes twice count once. */
export interface IdempotencyKey {
  readonly appId: string
  /** Of the caller's choice, for each app on its own. */
  readonly key: string
  /** The same for the same call. */
  readonly digest: string
  /** What a repeated call is answered. */
  readonly answer: string
}

/**
 * Where chunks wait until everything in them has ended. One daemon may use it or many, whose clocks need not agree.
 *
 * A chunk is **waiting**, or **leased** to one holder, or **ended**:
 *
 *     enqueue ──▶ waiting ◀──nak, the lease ran out, the holder died── leased ──ack, term──▶ ended
 *                    │  └────────────────────lease─────────────────────▶ │
 *                    └───────────────────────────cancel────────────────────────────────────▶ ended
 *
 * - `enqueue` resolves when all the chunks are on disk, or rejects and has kept none. Chunks enqueued at the same time
 *   may share one commit.
 * - `lease` hands each waiting chunk that is due to one holder at a time, for `leaseMs`; `extend` and `progress` begin
 *   that time anew. A lease that has run out is over: the chunk goes to the next who asks, and whatever its old holder
 *   does with it rejects with `lease-lost` and changes nothing. Times are measured as lengths, where they began.
 * - A holder that dies gives its leases back by dying: at once where the queue can know, as when the daemon that held
 *   them starts anew, else when they run out. The chunk is then leased with the outcomes of the last `progress` or `nak`.
 *   So a notification may be sent twice, but never not at all, and what was written down as ended is never sent again.
 * - `progress`, `ack`, `nak` and `term` write down the outcomes so far, with what follows from them (feedback), in one
 *   transaction; when they reject, nothing was written, and the lease is still held unless it was lost.
 * - `ack` ends the chunk: all its outcomes are final. Its payloads are forgotten, its outcomes kept.
 * - `nak` gives it back, to be leased again when the first of what waits in it is due: after `delayMs`, or later where
 *   its retries say so.
 * - `term` ends a chunk whose rest can never be sent; what still waits is settled as `state`.
 * - `cancel` ends what waits of a batch as cancelled. Who holds a chunk of it learns so from the lease; when it is given
 *   back, by whatever means, what still waits in it is settled as cancelled, and the chunk has ended.
 * - Order: an app's lanes are leased apart. In the small lane whoever is due first goes first; in the large one batches
 *   take turns, and a paced batch has its turn only when its pace allows. Nothing is promised beyond that.
 */
export interface Queue {
  /**
   * @param chunks of one app
   * @param idempotency where the same call may come again within a day
   * @throws {ApnsdError} queue-full: with these it would hold more than it may; storage-failed
   */
  enqueue(chunks: readonly Chunk[], idempotency?: IdempotencyKey): Promise<Enqueued>
  /** Chunks of an app's lane that are due, until they hold `limit` waiting notifications or more. */
  lease(appId: string, lane: Lane, limit: number): Promise<Lease[]>
  /** How long until there is a chunk to lease that nobody holds: 0 for now, null for none. */
  untilDueMs(appId: string, lane: Lane): Promise<number | null>
  /** Apps that have chunks waiting. */
  appsWithWork(): Promise<string[]>
  /** How long a lease lasts, in ms. */
  readonly leaseMs: number
  extend(lease: Lease): Promise<void>
  progress(lease: Lease): Promise<void>
  ack(lease: Lease): Promise<void>
  nak(lease: Lease, delayMs: number): Promise<void>
  term(lease: Lease, state: FinalState, detail?: OutcomeDetail): Promise<void>
  /** Ends what waits of a batch; how many notifications were not yet sent, those in hand not counted. */
  cancel(batchId: string): Promise<number>
  /** As {@link cancel}, for everything that waits for an app. */
  cancelApp(appId: string): Promise<number>
  /** Ends chunks that nobody holds and whose time has run out, as expired, `limit` at most; how many there were. */
  expire(limit: number): Promise<number>
  /** Calls back whenever an app may have got chunks to lease. */
  onWork(listener: (appId: string) => void): void
  /** What waits, leased or not. */
  depth(): QueueDepth
}

/** How much waits in the queue. */
export interface QueueDepth extends Depth {
  /** What it may hold at most. */
  readonly limits: QueueLimits
  readonly byApp: ReadonlyMap<string, Depth>
}

export interface Depth {
  /** Those whose outcome is not final. */
  readonly notifications: number
  /** Device tokens and payloads, as they are stored. */
  readonly bytes: number
}

export interface QueueLimits {
  readonly maxNotifications: number
  readonly maxBytes: number
}

/** What is remembered of notifications, while they wait and after they have ended, until it is forgotten. */
export interface OutcomeArchive {
  /** What became of one notification; undefined where no such was ever taken, or it is forgotten. */
  find(batchId: string, index: number): Promise<NotificationRecord | undefined>
  findBatch(batchId: string): Promise<BatchRecord | undefined>
  /**
   * Notifications of a batch by index, from `firstIndex` on, at most `limit`.
   * @returns an empty list past the end, and where the batch is not known
   */
  list(batchId: string, firstIndex: number, limit: number): Promise<NotificationRecord[]>
  /** Forgets chunks that ended before a time, the oldest first, `limit` at most; how many there were. */
  forget(endedBeforeMs: number, limit: number): Promise<number>
  /** How much disk it all takes, what waits included. */
  usedBytes(): number
}

/** What became of a batch. */
export interface BatchRecord {
  readonly batchId: string
  readonly appId: string
  readonly enqueuedAtMs: number
  readonly options: BatchOptions
  readonly isCancelled: boolean
  readonly counts: Readonly<Record<State, number>>
  /** How often each reason was given: for those that ended, and for those that wait for another attempt. */
  readonly reasons: ReadonlyMap<string, number>
}

/** Told of each chunk that delivery has given back to the queue, with its outcomes so far. */
export interface OutcomeListener {
  chunkGivenBack(lease: Lease): void
}

/** What is known of one notification. */
export interface NotificationRecord {
  readonly apnsId: string
  readonly batchId: string
  /** Its place in the batch. */
  readonly index: number
  readonly appId: string
  readonly deviceToken: string
  readonly state: State
  readonly detail: OutcomeDetail | null
  /** How many times it has been given to Apple. */
  readonly attempts: number
  /** Where it waits for another attempt: when, ms since the epoch, and why. */
  readonly next: { readonly atMs: number; readonly reason: string } | null
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
  status(appId: string): DeliveryStatus
}

/** How an app's delivery fares. */
export interface DeliveryStatus {
  readonly state: 'sending' | 'paused'
  /** Why it is paused, a sentence. */
  readonly why: string | null
  /** Since when it is paused, ms since the epoch. */
  readonly sinceMs: number | null
  /** When it is tried again unless somebody mends it first, ms since the epoch. */
  readonly nextTryAtMs: number | null
  readonly connections: number
}
