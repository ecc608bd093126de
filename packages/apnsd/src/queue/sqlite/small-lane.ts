/** A chunk's place in the small lane. */
export interface Place {
  readonly dueAtMs: number
  readonly rowId: number
}

const BEGINNING: Place = { dueAtMs: Number.MIN_SAFE_INTEGER, rowId: 0 }

/**
 * How far an app's small lane has been leased: first due, first served. Whatever stands up to the mark is in hand or has
 * ended, so that a lease reads only what is new, however much is in hand.
 */
export class SmallLane {
  #mark: Place = BEGINNING

  get mark(): Place {
    return this.#mark
  }

  /** The chunk at this place is in hand now, and so is all before it. */
  passed(place: Place): void {
    this.#mark = place
  }

  /** A chunk waits at this place: one before the mark moves it back. */
  waitsAt({ dueAtMs, rowId }: Place): void {
    const isBefore =
      dueAtMs < this.#mark.dueAtMs || (dueAtMs === this.#mark.dueAtMs && rowId <= this.#mark.rowId)
    if (isBefore) this.#mark = { dueAtMs, rowId: rowId - 1 }
  }
}
