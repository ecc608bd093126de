/**
 * Keeps the entries used last, at least `capacity` of them and at most twice as many.
 *
 * Two generations instead of a linked list: a full young generation becomes the old one, and the old one is dropped
 * whole. Get and set cost one or two lookups and no eviction scan, however many device tokens a load test goes through.
 *
 *     set ─→ young ──(full)──→ old ──(young full again)──→ forgotten
 *              ↑──── get ───────┘
 */
export class BoundedMap<Value> {
  readonly #capacity: number
  #young = new Map<string, Value>()
  #old = new Map<string, Value>()

  /** @param capacity at least 1. */
  constructor(capacity: number) {
    this.#capacity = capacity
  }

  get(key: string): Value | undefined {
    const young = this.#young.get(key)
    if (young !== undefined) return young
    const old = this.#old.get(key)
    if (old !== undefined) this.set(key, old)
    return old
  }

  set(key: string, value: Value): void {
    if (this.#young.size >= this.#capacity && !this.#young.has(key)) {
      this.#old = this.#young
      this.#young = new Map()
    }
    this.#young.set(key, value)
  }

  clear(): void {
    this.#young.clear()
    this.#old.clear()
  }
}
