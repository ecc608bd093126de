import type { RequestStream } from './request-stream.ts'

/** Four times the streams that Apple lets a connection have open: then a slot is nearly always free again in time. */
const SLOTS = 4096
const SLOT_MASK = SLOTS - 1

/**
 * The open streams of a connection: found by identifier, and walked in the order in which they were opened.
 *
 *     id 8195 ─▶ slot (id >> 1) mod 4096 ─▶ [ … | stream 8195 | … ]      a stream that is still open when its slot is
 *                                               │                        wanted again, 4096 streams later, goes among
 *                                               ▼                        the strays
 *                                     first ⇄ … ⇄ last
 */
export class OpenStreams<Stream extends RequestStream> {
  readonly #slots: (Stream | undefined)[] = Array.from({ length: SLOTS }, () => undefined)
  readonly #strays = new Map<number, Stream>()
  #first: Stream | null = null
  #last: Stream | null = null
  #size = 0

  get size(): number {
    return this.#size
  }

  /** The one that has been open for the longest; `next` leads on from it. */
  get first(): Stream | null {
    return this.#first
  }

  /** Takes a stream that has its identifier, larger than those of all others. */
  add(stream: Stream): void {
    const slot = (stream.id >>> 1) & SLOT_MASK
    const occupant = this.#slots[slot]
    if (occupant !== undefined) this.#strays.set(occupant.id, occupant)
    this.#slots[slot] = stream
    stream.previous = this.#last
    if (this.#last === null) this.#first = stream
    else this.#last.next = stream
    this.#last = stream
    this.#size += 1
  }

  get(id: number): Stream | undefined {
    const stream = this.#slots[(id >>> 1) & SLOT_MASK]
    if (stream !== undefined && stream.id === id) return stream
    return this.#strays.size === 0 ? undefined : this.#strays.get(id)
  }

  has(stream: Stream): boolean {
    return this.get(stream.id) === stream
  }

  /** @returns whether it was there */
  delete(stream: Stream): boolean {
    const slot = (stream.id >>> 1) & SLOT_MASK
    if (this.#slots[slot] === stream) this.#slots[slot] = undefined
    else if (!this.#strays.delete(stream.id)) return false
    const previous = stream.previous as Stream | null
    const next = stream.next as Stream | null
    if (previous === null) this.#first = next
    else previous.next = next
    if (next === null) this.#last = previous
    else next.previous = previous
    stream.previous = null
    stream.next = null
    this.#size -= 1
    return true
  }

  /** Gives all of them, in order: to be walked while some are deleted. */
  toArray(): Stream[] {
    const streams: Stream[] = []
    for (let stream = this.#first; stream !== null; stream = stream.next as Stream | null)
      streams.push(stream)
    return streams
  }
}
