/**
 * Submissions of few notifications go before those of many, so that an urgent one does not wait behind a campaign; and
 * the chunks of several campaigns take turns.
 */
export const LANES = ['small', 'large'] as const
export type Lane = (typeof LANES)[number]

/** What a person sends by hand or an event sets off; whatever has more is a campaign, if a little one. */
const MOST_IN_SMALL_LANE = 100

/** A chunk is leased and settled whole, so it bounds what one crash can send twice and one settlement writes. */
export const MAX_CHUNK_NOTIFICATIONS = 1000

/** What a whole submission was handed in with. */
export interface BatchOptions {
  readonly lane: Lane
  /** Nothing goes before, ms since the epoch; 0: at once. */
  readonly sendAtMs: number
  /** Nothing goes after, ms since the epoch; null: no such time. */
  readonly expiresAtMs: number | null
  /** At most so many notifications a second, above 0; null: as fast as they go. */
  readonly ratePerS: number | null
}

/** Says in which lane a submission goes. A paced one is a campaign, however small: it is in no hurry. */
export function laneFor(notifications: number, ratePerS: number | null): Lane {
  return notifications <= MOST_IN_SMALL_LANE && ratePerS === null ? 'small' : 'large'
}

/** How many notifications a chunk may have: of a paced submission no more than may go in a second. */
export function chunkSizeFor({ ratePerS }: Pick<BatchOptions, 'ratePerS'>): number {
  if (ratePerS === null) return MAX_CHUNK_NOTIFICATIONS
  return Math.min(MAX_CHUNK_NOTIFICATIONS, Math.max(1, Math.floor(ratePerS)))
}

/** How long the next chunk of a paced submission waits after one with so many notifications was leased. */
export function pacingDelayMs(notifications: number, ratePerS: number | null): number {
  return ratePerS === null ? 0 : (notifications * 1000) / ratePerS
}
