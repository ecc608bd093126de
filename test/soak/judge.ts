import type { SoakReport } from './soak.ts'

/**
 * How far memory may grow from the second quarter of the long life to the last. Collected garbage is out of the heap's
 * figure; RSS has in it what Node has not given back, and how much that is depends on the day.
 */
const MOST_HEAP_GROWTH = 1.1
const MOST_RSS_GROWTH = 1.2
const MOST_SHOWN = 20

/** Says in a sentence each what is wrong with a soak; nothing when all is well. */
export function judge(report: SoakReport): string[] {
  const { accepted, outcomes, problems, heapGrowth, rssGrowth } = report
  const faults = problems.slice(0, MOST_SHOWN)
  if (problems.length > MOST_SHOWN) faults.push(`… and ${problems.length - MOST_SHOWN} more`)
  const told = outcomes.accepted + outcomes.rejected
  if (told !== accepted) faults.push(`${accepted} were taken and ${told} had the right outcome`)
  if (!(heapGrowth <= MOST_HEAP_GROWTH))
    faults.push(`heap and buffers grew to ${heapGrowth.toFixed(2)} of what they were`)
  if (!(rssGrowth <= MOST_RSS_GROWTH))
    faults.push(`RSS grew to ${rssGrowth.toFixed(2)} of what it was`)
  return faults
}
