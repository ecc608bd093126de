/** What becomes of the changes that were not synced. */
export interface Fate {
  readonly name: string
  survives(): boolean
  /** How many bytes of a surviving write are on the disk. */
  tear(offset: number, length: number): number
}

const SECTOR_BYTES = 512
/** So many of the surviving writes are torn. */
const TORN_SHARE = 0.2

/** The disk has dropped every one. */
export const ALL_LOST: Fate = { name: 'all lost', survives: () => false, tear: () => 0 }

/** Every one got there in time; so it is for whoever reads without a power cut. */
export const NONE_LOST: Fate = {
  name: 'none lost',
  survives: () => true,
  tear: (_offset, length) => length,
}

/**
 * A disk that writes early and in any order: each change is there or not, whatever became of those before it. A write may
 * have got as far as the end of some sector only. How many survive differs from cut to cut.
 */
export function randomFate(random: () => number): Fate {
  const share = random()
  return {
    name: `${Math.round(100 * share)} % kept`,
    survives: () => random() < share,
    tear: (offset, length) => {
      if (random() >= TORN_SHARE) return length
      const upTo = offset + Math.floor(random() * length)
      return Math.max(0, upTo - (upTo % SECTOR_BYTES) - offset)
    },
  }
}
