import { pacingDelayMs } from '../../core/policy/lanes.ts'

/** A batch of the large lane that has not ended. */
export interface Campaign {
  readonly batchId: string
  readonly ratePerS: number | null
  /** Chunks that wait or are in hand. */
  chunks: number
  inHand: number
  /** When its pace allows another chunk, as {@link Clock.elapsed} has it. */
  paceAllowsAtMs: number
  /** Nothing of it is due before, ms since the epoch: spares asking the disk. */
  nothingBeforeMs: number
}

/** The campaigns of one app, in the order in which their turns come. */
export class LargeLane {
  /** By batch; a map keeps the order in which they were put in. */
  readonly #campaigns = new Map<string, Campaign>()

  get campaigns(): IterableIterator<Campaign> {
    return this.#campaigns.values()
  }

  get size(): number {
    return this.#campaigns.size
  }

  get(batchId: string): Campaign | undefined {
    return this.#campaigns.get(batchId)
  }

  /** A chunk of the batch waits. */
  add(batchId: string, ratePerS: number | null, dueAtMs: number, chunks = 1): void {
    const campaign = this.#campaigns.get(batchId)
    if (campaign === undefined) {
      this.#campaigns.set(batchId, {
        batchId,
        ratePerS,
        chunks,
        inHand: 0,
        paceAllowsAtMs: 0,
        nothingBeforeMs: dueAtMs,
      })
      return
    }
    campaign.chunks += chunks
    campaign.nothingBeforeMs = Math.min(campaign.nothingBeforeMs, dueAtMs)
  }

  /** It is another's turn. */
  passOver(campaign: Campaign): void {
    this.#campaigns.delete(campaign.batchId)
    this.#campaigns.set(campaign.batchId, campaign)
  }

  /** A chunk was leased: the others have their turn first, and a paced batch rests. */
  leased(campaign: Campaign, notifications: number, elapsedMs: number): void {
    campaign.inHand += 1
    campaign.paceAllowsAtMs = elapsedMs + pacingDelayMs(notifications, campaign.ratePerS)
    this.passOver(campaign)
  }

  /** A leased chunk waits again. */
  givenBack(batchId: string, dueAtMs: number): void {
    const campaign = this.#campaigns.get(batchId)
    if (campaign === undefined) return
    campaign.inHand -= 1
    campaign.nothingBeforeMs = Math.min(campaign.nothingBeforeMs, dueAtMs)
  }

  ended(batchId: string, wasInHand: boolean): void {
    const campaign = this.#campaigns.get(batchId)
    if (campaign === undefined) return
    if (wasInHand) campaign.inHand -= 1
    campaign.chunks -= 1
    if (campaign.chunks === 0) this.#campaigns.delete(batchId)
  }
}
