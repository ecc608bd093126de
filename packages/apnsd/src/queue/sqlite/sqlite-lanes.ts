import type { Database } from '../../base/database.ts'
import type { Row, Statement } from '../../base/statement.ts'
import type { Lane } from '../../core/policy/lanes.ts'
import type { Clock } from '../../core/ports.ts'
import { readOptions } from './chunk-rows.ts'
import type { HeldLease } from './held-lease.ts'
import { type Campaign, LargeLane } from './large-lane.ts'
import { type Place, SmallLane } from './small-lane.ts'

/** What the lanes need to know of a chunk. */
interface LaneChunk {
  readonly appId: string
  readonly batchId: string
  readonly options: { readonly lane: Lane }
}

/** So many chunks of a paced batch may be in hand: the next one is ready when the last is nearly through. */
const PACED_IN_HAND = 2

const COLUMNS = `c.*, t.device_tokens, t.payloads FROM chunks c JOIN contents t ON t.chunk_id = c.id`

/** Says which chunk of an app goes next. The small lane stands in the file; of the large one only whose turn it is. */
export class SqliteLanes {
  readonly #clock: Clock
  readonly #isHeld: (rowId: number) => boolean
  readonly #small = new Map<string, SmallLane>()
  readonly #large = new Map<string, LargeLane>()
  readonly #nextSmall: Statement
  readonly #nextSmallDue: Statement
  readonly #nextOfCampaign: Statement
  readonly #byId: Statement

  constructor(database: Database, clock: Clock, isHeld: (rowId: number) => boolean) {
    this.#clock = clock
    this.#isHeld = isHeld
    this.#nextSmall = database.prepare(
      `SELECT ${COLUMNS} WHERE c.app_id = ? AND c.lane = 0 AND (c.due_at_ms, c.id) > (?, ?) AND c.due_at_ms <= ?
       ORDER BY c.due_at_ms, c.id`,
    )
    this.#nextSmallDue = database.prepare(
      `SELECT id, due_at_ms FROM chunks WHERE app_id = ? AND lane = 0 AND due_at_ms IS NOT NULL
         AND (due_at_ms, id) > (?, ?) ORDER BY due_at_ms, id`,
    )
    this.#nextOfCampaign = database.prepare(
      `SELECT id, due_at_ms FROM chunks WHERE batch_id = ? AND due_at_ms IS NOT NULL AND lane = 1
       ORDER BY due_at_ms, id LIMIT ?`,
    )
    this.#byId = database.prepare(`SELECT ${COLUMNS} WHERE c.id = ?`)
    this.#load(database)
  }

  #load(database: Database): void {
    const campaigns = database.prepare(
      `SELECT app_id, batch_id, lane, send_at_ms, expires_at_ms, rate, count(*) AS chunks FROM chunks
       WHERE due_at_ms IS NOT NULL AND lane = 1 GROUP BY batch_id`,
    )
    for (const row of campaigns.all()) {
      const { ratePerS } = readOptions(row)
      const chunks = Number(row['chunks'])
      this.#largeOf(String(row['app_id'])).add(String(row['batch_id']), ratePerS, 0, chunks)
    }
  }

  /** Chunks that are due and that nobody holds, in the order in which they go; whoever takes one leases it. */
  due(appId: string, lane: Lane): Generator<Row> {
    return lane === 'small' ? this.#dueSmall(appId) : this.#dueLarge(appId)
  }

  untilDueMs(appId: string, lane: Lane): number | null {
    return lane === 'small' ? this.#untilSmallMs(appId) : this.#untilLargeMs(appId)
  }

  /** A chunk was enqueued. */
  added({ appId, batchId, options }: HeldLease['chunk'], place: Place): void {
    if (options.lane === 'small') this.#smallOf(appId).waitsAt(place)
    else this.#largeOf(appId).add(batchId, options.ratePerS, place.dueAtMs)
  }

  leased({ chunk, rowId, dueAtMs, outcomes }: HeldLease): void {
    const { appId, batchId, options } = chunk
    if (options.lane === 'small') {
      this.#smallOf(appId).passed({ rowId, dueAtMs })
      return
    }
    const large = this.#largeOf(appId)
    const campaign = large.get(batchId)
    if (campaign !== undefined) large.leased(campaign, outcomes.waiting, this.#clock.elapsed())
  }

  givenBack({ chunk, rowId }: HeldLease, dueAtMs: number): void {
    const { appId, batchId, options } = chunk
    if (options.lane === 'small') this.#smallOf(appId).waitsAt({ rowId, dueAtMs })
    else this.#largeOf(appId).givenBack(batchId, dueAtMs)
  }

  ended({ appId, batchId, options }: LaneChunk, wasInHand: boolean): void {
    if (options.lane === 'large') this.#largeOf(appId).ended(batchId, wasInHand)
  }

  *#dueSmall(appId: string): Generator<Row> {
    const { mark } = this.#smallOf(appId)
    const rows = this.#nextSmall.iterate(appId, mark.dueAtMs, mark.rowId, this.#clock.now())
    for (const row of rows) if (!this.#isHeld(Number(row['id']))) yield row
  }

  *#dueLarge(appId: string): Generator<Row> {
    const large = this.#largeOf(appId)
    // a chunk of each in turn, until a whole round has brought none
    let without = 0
    while (without < large.size) {
      const [campaign] = large.campaigns
      if (campaign === undefined) return
      const rowId = this.#mayGo(campaign) ? this.#nextRowOf(campaign) : null
      if (rowId === null) {
        large.passOver(campaign)
        without += 1
        continue
      }
      without = 0
      yield this.#byId.get(rowId)!
    }
  }

  #mayGo({ ratePerS, inHand, paceAllowsAtMs, nothingBeforeMs }: Campaign): boolean {
    if (nothingBeforeMs > this.#clock.now()) return false
    return ratePerS === null || (inHand < PACED_IN_HAND && paceAllowsAtMs <= this.#clock.elapsed())
  }

  /** Null where none is due that nobody holds; remembers when one will be. */
  #nextRowOf(campaign: Campaign): number | null {
    // those in hand are due as well, and may come first: look past them
    const rows = this.#nextOfCampaign.all(campaign.batchId, 1 + campaign.inHand)
    const next = rows.find(({ id }) => !this.#isHeld(Number(id)))
    const dueAtMs = next === undefined ? Number.POSITIVE_INFINITY : Number(next['due_at_ms'])
    campaign.nothingBeforeMs = dueAtMs
    return dueAtMs <= this.#clock.now() ? Number(next!['id']) : null
  }

  #untilSmallMs(appId: string): number | null {
    const { mark } = this.#smallOf(appId)
    for (const { id, due_at_ms } of this.#nextSmallDue.iterate(appId, mark.dueAtMs, mark.rowId))
      if (!this.#isHeld(Number(id))) return Math.max(0, Number(due_at_ms) - this.#clock.now())
    return null
  }

  #untilLargeMs(appId: string): number | null {
    let least = Number.POSITIVE_INFINITY
    for (const campaign of this.#largeOf(appId).campaigns) {
      if (campaign.nothingBeforeMs <= this.#clock.now()) this.#nextRowOf(campaign)
      const untilDueMs = campaign.nothingBeforeMs - this.#clock.now()
      const isPaced = campaign.ratePerS !== null
      const untilPaceMs = isPaced ? campaign.paceAllowsAtMs - this.#clock.elapsed() : 0
      // one of its chunks ends first, and that wakes whoever waits
      if (isPaced && campaign.inHand >= PACED_IN_HAND) continue
      least = Math.min(least, Math.max(0, untilDueMs, untilPaceMs))
    }
    return least === Number.POSITIVE_INFINITY ? null : least
  }

  #smallOf(appId: string): SmallLane {
    let lane = this.#small.get(appId)
    if (lane === undefined) {
      lane = new SmallLane()
      this.#small.set(appId, lane)
    }
    return lane
  }

  #largeOf(appId: string): LargeLane {
    let lane = this.#large.get(appId)
    if (lane === undefined) {
      lane = new LargeLane()
      this.#large.set(appId, lane)
    }
    return lane
  }
}
