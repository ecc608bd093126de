import { ApnsdError, type ErrorCode } from '../base/errors.ts'
import type { Log } from '../base/log.ts'
import { LANES, type Lane } from '../core/policy/lanes.ts'
import type { Clock, Lease, OutcomeListener, Queue } from '../core/ports.ts'
import type { ChunkRun } from './chunk-run.ts'

export interface LeasedChunksParts {
  readonly queue: Queue
  readonly outcomes: OutcomeListener
  readonly clock: Clock
  readonly log: Log
}

/** The app's delivery, as what leases for it sees it. */
export interface LeasedChunksHost {
  readonly appId: string
  /** False while nothing is to be sent. */
  readonly isSending: boolean
  /** True once nothing will be sent any more. */
  readonly isStopping: boolean
  /** What becomes of what is given back unsent. */
  readonly fate: 'keep' | 'cancel'
  createRun(lease: Lease): ChunkRun
  send(run: ChunkRun): void
}

/** Notifications of a lane on their way at a time: enough to keep connections busy, little enough to lose little in a crash. */
const MOST_IN_HAND: Readonly<Record<Lane, number>> = { small: 4000, large: 4000 }
/** What a lease must make room for to be worth the asking. */
const LEAST_ROOM: Readonly<Record<Lane, number>> = { small: 1, large: 1000 }
/** Outcomes are written down at least so often, so that a crash sends at most so much of what was answered again. */
const PROGRESS_INTERVAL_MS = 100
/** How often it looks for what has expired or was cancelled. */
const SWEEP_INTERVAL_MS = 1000
/** How long to wait before the disk is tried again when it did not take outcomes. */
const STORAGE_RETRY_MS = 1000
/** setTimeout takes no more. */
const LONGEST_TIMER_MS = 2 ** 31 - 1

/** The chunks that one app's delivery has leased: gets them while there is room, and gives each back with its outcomes. */
export class LeasedChunks {
  readonly #parts: LeasedChunksParts
  readonly #host: LeasedChunksHost
  readonly #runs = new Map<ChunkRun, { notifications: number; given: PromiseWithResolvers<void> }>()
  readonly #inHand: Record<Lane, number> = { small: 0, large: 0 }
  /** Lanes in which there may be something to lease. */
  readonly #mayHaveMore = new Set<Lane>()
  #isLeasing = false
  #isWaking = false
  #due: NodeJS.Timeout | undefined
  #dueAtMs = Number.POSITIVE_INFINITY
  #progress: NodeJS.Timeout | undefined
  #sweep: NodeJS.Timeout | undefined
  #extendedAtMs = 0

  constructor(parts: LeasedChunksParts, host: LeasedChunksHost) {
    this.#parts = parts
    this.#host = host
  }

  /** Looks for work. Called when there may be some; needless calls do no harm. */
  wake(): void {
    for (const lane of LANES) this.#mayHaveMore.add(lane)
    // submissions that came together are leased together
    if (this.#isWaking) return
    this.#isWaking = true
    setImmediate(() => {
      this.#isWaking = false
      this.#lease()
    })
  }

  /** Leases nothing more, and what was not sent is not to be. */
  releaseAll(): void {
    for (const run of this.#runs.keys()) run.release()
  }

  /** Resolves when everything has been given back that was in hand. */
  async givenBack(): Promise<void> {
    clearTimeout(this.#due)
    await Promise.all(Array.from(this.#runs.values(), ({ given }) => given.promise))
  }

  #lease(): void {
    if (!this.#isLeasing && this.#host.isSending) void this.#leaseLanes()
  }

  async #leaseLanes(): Promise<void> {
    this.#isLeasing = true
    try {
      for (;;) {
        const lane = LANES.find((one) => this.#mayHaveMore.has(one) && this.#hasRoom(one))
        if (lane === undefined || !this.#host.isSending) return
        this.#mayHaveMore.delete(lane)
        await this.#leaseLane(lane)
      }
    } catch (error) {
      this.#tell('could not lease from the queue', error)
      this.#wakeIn(STORAGE_RETRY_MS)
    } finally {
      this.#isLeasing = false
    }
  }

  #hasRoom(lane: Lane): boolean {
    return MOST_IN_HAND[lane] - this.#inHand[lane] >= LEAST_ROOM[lane]
  }

  async #leaseLane(lane: Lane): Promise<void> {
    const { queue } = this.#parts
    const room = MOST_IN_HAND[lane] - this.#inHand[lane]
    let leased = 0
    for (const lease of await queue.lease(this.#host.appId, lane, room)) {
      leased += lease.outcomes.waiting
      this.#start(lease, lane)
    }
    if (leased >= room) {
      this.#mayHaveMore.add(lane)
      return
    }
    const untilDueMs = await queue.untilDueMs(this.#host.appId, lane)
    if (untilDueMs !== null) this.#wakeIn(untilDueMs)
  }

  /** Looks for work after a while, unless it does so before. */
  #wakeIn(delayMs: number): void {
    const atMs = this.#parts.clock.elapsed() + delayMs
    if (atMs >= this.#dueAtMs || !this.#host.isSending) return
    clearTimeout(this.#due)
    this.#dueAtMs = atMs
    this.#due = setTimeout(
      () => {
        this.#dueAtMs = Number.POSITIVE_INFINITY
        this.wake()
      },
      Math.min(Math.max(1, delayMs), LONGEST_TIMER_MS),
    )
  }

  #start(lease: Lease, lane: Lane): void {
    const run = this.#host.createRun(lease)
    const notifications = lease.outcomes.waiting
    this.#runs.set(run, { notifications, given: Promise.withResolvers() })
    this.#inHand[lane] += notifications
    this.#progress ??= setInterval(() => this.#writeProgress(), PROGRESS_INTERVAL_MS)
    this.#sweep ??= setInterval(() => this.#sweepRuns(), SWEEP_INTERVAL_MS)
    // leasing took a turn of the event loop, in which the delivery may have been halted
    if (!this.#host.isSending) run.release()
    if (run.length === 0) void this.giveBack(run)
    else this.#host.send(run)
  }

  #writeProgress(): void {
    for (const run of this.#runs.keys()) {
      if (!run.dirty) continue
      run.dirty = false
      this.#parts.queue.progress(run.lease).catch((error: unknown) => {
        run.dirty = true
        this.#tell('could not write outcomes down', error)
      })
    }
  }

  #sweepRuns(): void {
    for (const run of this.#runs.keys()) run.sweep()
    const { queue, clock } = this.#parts
    if (clock.elapsed() < this.#extendedAtMs + queue.leaseMs / 4) return
    this.#extendedAtMs = clock.elapsed()
    for (const { lease } of this.#runs.keys())
      queue.extend(lease).catch((error: unknown) => this.#tell('a lease was lost', error))
  }

  /** Gives a chunk back to the queue, however often the disk must be asked to take its outcomes. */
  async giveBack(run: ChunkRun): Promise<void> {
    run.dirty = false
    while (!(await this.#tryToGiveBack(run))) {
      if (this.#host.isStopping) break // it is still in the queue, and sent again at the next start
      await new Promise((resolve) => setTimeout(resolve, STORAGE_RETRY_MS))
    }
    this.#parts.outcomes.chunkGivenBack(run.lease)
    this.#letGo(run)
    this.#lease()
  }

  #letGo(run: ChunkRun): void {
    const held = this.#runs.get(run)
    if (held === undefined) return
    const { lane, ratePerS } = run.lease.chunk.options
    this.#runs.delete(run)
    this.#inHand[lane] -= held.notifications
    // a paced batch may have waited for just this
    if (ratePerS !== null) this.#mayHaveMore.add(lane)
    if (this.#runs.size === 0) this.#stopTimers()
    held.given.resolve()
  }

  #stopTimers(): void {
    clearInterval(this.#progress)
    clearInterval(this.#sweep)
    this.#progress = undefined
    this.#sweep = undefined
  }

  async #tryToGiveBack({ lease }: ChunkRun): Promise<boolean> {
    const { queue } = this.#parts
    try {
      if (lease.outcomes.waiting === 0) await queue.ack(lease)
      else if (this.#host.fate === 'cancel') await queue.term(lease, 'cancelled')
      else await queue.nak(lease, 0)
      return true
    } catch (error) {
      this.#tell('could not write outcomes down', error)
      return isCode(error, 'lease-lost')
    }
  }

  /** A disk that fails is told of by the daemon's health, once, however many outcomes wait for it. */
  #tell(what: string, error: unknown): void {
    if (isCode(error, 'storage-failed')) return
    this.#parts.log.error({ app: this.#host.appId, err: error }, what)
  }
}

const isCode = (error: unknown, code: ErrorCode): boolean =>
  error instanceof ApnsdError && error.code === code
