import type { LookupAddress } from 'node:dns'
import { lookup as dnsLookup } from 'node:dns/promises'
import { isIP } from 'node:net'
import { AddressUse } from '../address-use.ts'

/** Gives all addresses of a name. */
export type Lookup = (host: string) => Promise<LookupAddress[]>

/** Asks the system each time: Node remembers no answers, and Apple takes addresses out of service. */
export const systemLookup: Lookup = (host) => dnsLookup(host, { all: true })

/** What an address is given to answer before another is tried beside it. [RFC 8305 §5] */
export const ATTEMPT_DELAY_MS = 250
/** What did not answer for so long has had its time. Less than the delay: whoever is overtaken is among them. */
const PATIENCE_MS = 200
/** For so long an address that failed is tried behind the others. */
const FAILED_FOR_MS = 5 * 60_000
const MAX_FAILED = 256

/** Addresses that could not be connected to of late, in the whole process. */
const failedAtMs = new Map<string, number>()

/** The addresses that dials under way mean to use: those that begin together are to spread, too. */
const heldAddresses = new AddressUse()

/** The address that a dial means to use. It counts as a connection to it until there is one, or will be none. */
export class HeldAddress {
  #address: string | null = null
  #isReleased = false

  /** Does nothing once it is released: a look-up may end after the dial was given up. */
  change(address: string): void {
    if (this.#isReleased) return
    if (this.#address !== null) heldAddresses.remove(this.#address)
    heldAddresses.add(address)
    this.#address = address
  }

  release(): void {
    if (this.#address !== null) heldAddresses.remove(this.#address)
    this.#address = null
    this.#isReleased = true
  }
}

export function noteFailed(address: string): void {
  failedAtMs.delete(address)
  failedAtMs.set(address, performance.now())
  const [oldest] = failedAtMs.keys()
  if (failedAtMs.size > MAX_FAILED && oldest !== undefined) failedAtMs.delete(oldest)
}

/**
 * Counts an address that was given up as one that failed, where it had its time to answer. Otherwise one that takes
 * packets and never answers would be the first to be tried each time: nobody is connected to it.
 */
export function noteGivenUp(address: string, sinceMs: number): void {
  if (performance.now() - sinceMs >= PATIENCE_MS) noteFailed(address)
}

export function noteConnected(address: string): void {
  failedAtMs.delete(address)
}

function hasFailed(address: string): boolean {
  return performance.now() - (failedAtMs.get(address) ?? Number.NEGATIVE_INFINITY) < FAILED_FOR_MS
}

/** Finds the addresses to try for a host, in order, and holds the first; an address stands for itself. */
export async function findAddresses(
  host: string,
  lookup: Lookup,
  connectionsTo: (address: string) => number,
  held: HeldAddress | null,
): Promise<string[]> {
  if (isIP(host) !== 0) return [host]
  const ordered = orderAddresses(await lookup(host), connectionsTo)
  if (ordered[0] !== undefined) held?.change(ordered[0])
  return ordered
}

/**
 * Puts addresses in the order in which to try them: those that failed of late behind all others; within each half by how
 * few connections they have or are about to get, then as the system gave them; families in turn, beginning with that of
 * the first. [RFC 8305 §4]
 */
export function orderAddresses(
  found: readonly LookupAddress[],
  connectionsTo: (address: string) => number,
): string[] {
  const useOf = (address: string): number => connectionsTo(address) + heldAddresses.countOf(address)
  const ordered = found.toSorted((a, b) => useOf(a.address) - useOf(b.address))
  return [
    ...takeFamiliesInTurn(ordered.filter(({ address }) => !hasFailed(address))),
    ...takeFamiliesInTurn(ordered.filter(({ address }) => hasFailed(address))),
  ]
}

function takeFamiliesInTurn(sorted: readonly LookupAddress[]): string[] {
  const firstFamily = sorted[0]?.family
  const first = sorted.filter(({ family }) => family === firstFamily)
  const second = sorted.filter(({ family }) => family !== firstFamily)
  const ordered: string[] = []
  for (let n = 0; n < Math.max(first.length, second.length); n += 1)
    for (const next of [first[n], second[n]]) if (next !== undefined) ordered.push(next.address)
  return ordered
}
