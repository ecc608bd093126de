import type { LookupAddress } from 'node:dns'
import { lookup as dnsLookup } from 'node:dns/promises'
import { isIP } from 'node:net'

/** Gives all addresses of a name. */
export type Lookup = (host: string) => Promise<LookupAddress[]>

/** Asks the system each time: Node remembers no answers, and Apple takes addresses out of service. */
export const systemLookup: Lookup = (host) => dnsLookup(host, { all: true })

/** For so long an address that failed is tried behind the others. */
const FAILED_FOR_MS = 5 * 60_000
const MAX_FAILED = 256

/** Addresses that could not be connected to of late, in the whole process. */
const failedAtMs = new Map<string, number>()

export function noteFailed(address: string): void {
  failedAtMs.delete(address)
  failedAtMs.set(address, performance.now())
  const [oldest] = failedAtMs.keys()
  if (failedAtMs.size > MAX_FAILED && oldest !== undefined) failedAtMs.delete(oldest)
}

export function noteConnected(address: string): void {
  failedAtMs.delete(address)
}

function hasFailed(address: string): boolean {
  return performance.now() - (failedAtMs.get(address) ?? Number.NEGATIVE_INFINITY) < FAILED_FOR_MS
}

/**
 * Finds the addresses to try for a host, in order; an address stands for itself.
 * @param choose told of the first one in the same turn in which the order was made, so that no other dial makes its own
 *   before it counts
 */
export async function findAddresses(
  host: string,
  lookup: Lookup,
  connectionsTo: (address: string) => number,
  choose: (address: string) => void = () => undefined,
): Promise<string[]> {
  const ordered = isIP(host) !== 0 ? [host] : orderAddresses(await lookup(host), connectionsTo)
  if (ordered[0] !== undefined) choose(ordered[0])
  return ordered
}

/**
 * Puts addresses in the order in which to try them: those that failed of late last, then by how few connections they have,
 * then as the system gave them; families in turn, beginning with that of the first. [RFC 8305 §4]
 */
export function orderAddresses(
  found: readonly LookupAddress[],
  connectionsTo: (address: string) => number,
): string[] {
  const rankOf = (address: string): number =>
    (hasFailed(address) ? 1_000_000 : 0) + connectionsTo(address)
  const sorted = found.toSorted((a, b) => rankOf(a.address) - rankOf(b.address))
  const firstFamily = sorted[0]?.family
  const first = sorted.filter(({ family }) => family === firstFamily)
  const second = sorted.filter(({ family }) => family !== firstFamily)
  const ordered: string[] = []
  for (let n = 0; n < Math.max(first.length, second.length); n += 1)
    for (const next of [first[n], second[n]]) if (next !== undefined) ordered.push(next.address)
  return ordered
}
