/** How many places may lie empty at the front before the rest moves up. */
const MAX_GAP = 1024

/** A queue. An array's own `shift` moves all the rest each time once there are many. */
export class Fifo<Item> {
  #items: (Item | undefined)[] = []
  #head = 0

  get length(): number {
    return this.#items.length - this.#head
  }

  get first(): Item | undefined {
    return this.#items[this.#head]
  }

  push(item: Item): void {
    this.#items.push(item)
  }

  shift(): Item | undefined {
    const item = this.#items[this.#head]
    if (item === undefined) return undefined
    this.#items[this.#head] = undefined
    this.#head += 1
    if (this.#head === this.#items.length) {
      this.#items = []
      this.#head = 0
    } else if (this.#head >= MAX_GAP && this.#head * 2 >= this.#items.length) {
      this.#items = this.#items.slice(this.#head)
      this.#head = 0
    }
    return item
  }

  /** Takes those out that `isWanted`, in order. */
  takeWhere(isWanted: (item: Item) => boolean): Item[] {
    const taken: Item[] = []
    for (const item of this.takeAll())
      if (isWanted(item)) taken.push(item)
      else this.#items.push(item)
    return taken
  }

  /** Takes all out, in order. */
  takeAll(): Item[] {
    const items = this.#items.slice(this.#head) as Item[]
    this.#items = []
    this.#head = 0
    return items
  }
}
