/**
 * Counts the connections that lead to each address, so that new ones go where there are few: Apple asks that load be
 * spread over its servers. [Apple, "Establishing a connection to APNs"]
 */
export class AddressUse {
  readonly #counts = new Map<string, number>()

  countOf(address: string): number {
    return this.#counts.get(address) ?? 0
  }

  add(address: string): void {
    this.#counts.set(address, this.countOf(address) + 1)
  }

  remove(address: string): void {
    const count = this.countOf(address) - 1
    if (count > 0) this.#counts.set(address, count)
    else this.#counts.delete(address)
  }
}

/** That of the process: what all clients share. */
export const PROCESS_ADDRESS_USE = new AddressUse()
