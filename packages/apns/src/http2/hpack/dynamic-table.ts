/** The size of the table until SETTINGS say otherwise. [RFC 9113 §6.5.2, SETTINGS_HEADER_TABLE_SIZE] */
export const DEFAULT_TABLE_BYTES = 4096
/** What an entry costs besides its name and value. [RFC 7541 §4.1] */
export const ENTRY_OVERHEAD_BYTES = 32
const INITIAL_SLOTS = 16

/** What the table needs to know of its entries; coder and decoder each add their own. */
export interface TableEntry {
  /** Octets of name and value, and 32. */
  readonly bytes: number
}

/**
 * The entries that both ends keep alike: the newest first, the oldest dropped as soon as all exceed `maxBytes`.
 *
 *     slot     0   1   2   3   4   5   6   7        entry number n lies in slot n mod 8
 *            | 8 | 9 |   |   |   | 5 | 6 | 7 |      insertedCount 10, length 5
 *     index    2   1               5   4   3        1: the newest; on the wire 61 more
 *
 * A ring whose slots double when they run out: never more than maxBytes / 32 entries, rounded up to a power of two.
 * Insertion, look-up and each eviction take constant time.
 *
 * @see RFC 7541 §2.3.2, §4
 */
export class DynamicTable<Entry extends TableEntry> {
  /** How many entries there are. */
  length = 0
  usedBytes = 0
  maxBytes: number
  /** How many were ever inserted: the number of the next one. */
  insertedCount = 0
  #slots: (Entry | undefined)[] = Array.from({ length: INITIAL_SLOTS })

  constructor(maxBytes: number) {
    this.maxBytes = maxBytes
  }

  /** @param index 1, the newest, to `length`; else undefined, or an entry that is gone */
  at(index: number): Entry | undefined {
    if (index > this.length) return undefined
    return this.#slots[(this.insertedCount - index) & (this.#slots.length - 1)]
  }

  /**
   * Evicts what must go, then inserts. An entry of more than `maxBytes` empties the table and is not inserted; that is
   * no error. [RFC 7541 §4.4]
   * @returns whether the entry is in the table now
   */
  insert(entry: Entry): boolean {
    this.#evictTo(this.maxBytes - entry.bytes)
    if (entry.bytes > this.maxBytes) return false
    if (this.length === this.#slots.length) this.#grow()
    this.#slots[this.insertedCount & (this.#slots.length - 1)] = entry
    this.insertedCount++
    this.length++
    this.usedBytes += entry.bytes
    return true
  }

  /** Changes the limit, evicting what is too much. [RFC 7541 §4.3] */
  resize(maxBytes: number): void {
    this.maxBytes = maxBytes
    this.#evictTo(maxBytes)
  }

  #evictTo(bytes: number): void {
    while (this.usedBytes > bytes && this.length > 0) {
      const slot = (this.insertedCount - this.length) & (this.#slots.length - 1)
      this.usedBytes -= this.#slots[slot]!.bytes
      this.#slots[slot] = undefined
      this.length--
    }
  }

  #grow(): void {
    const slots: (Entry | undefined)[] = Array.from({ length: 2 * this.#slots.length })
    for (let index = 1; index <= this.length; index++)
      slots[(this.insertedCount - index) & (slots.length - 1)] = this.at(index)
    this.#slots = slots
  }
}
