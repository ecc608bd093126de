/**
 * Keeps the newest items, bounded in number and in weight; the oldest go first.
 *
 * Dropped items leave a gap at the front of the array, which is closed when it makes up half of it: a push costs
 * constant time on average.
 */
export class BoundedList<Item> {
  readonly #maxItems: number
  readonly #maxWeight: number
  #items: Item[] = []
  #weights: number[] = []
  #start = 0
  #weight = 0

  /** @param maxWeight in the unit in which `push` counts, such as bytes. */
  constructor(maxItems: number, maxWeight = Number.POSITIVE_INFINITY) {
    this.#maxItems = maxItems
    this.#maxWeight = maxWeight
  }

  get length(): number {
    return this.#items.length - this.#start
  }

  push(item: Item, weight = 0): void {
    this.#items.push(item)
    this.#weights.push(weight)
    this.#weight += weight
    while (this.length > this.#maxItems || (this.#weight > this.#maxWeight && this.length > 1)) {
      this.#weight -= this.#weights[this.#start] ?? 0
      this.#start += 1
    }
    if (this.#start * 2 > this.#items.length) this.#closeGap()
  }

  /** Copies what is kept, oldest first. */
  toArray(): Item[] {
    return this.#items.slice(this.#start)
  }

  clear(): void {
    this.#items = []
    this.#weights = []
    this.#start = 0
    this.#weight = 0
  }

  #closeGap(): void {
    this.#items.splice(0, this.#start)
    this.#weights.splice(0, this.#start)
    this.#start = 0
  }
}
