/** Collects events, and lets a test wait for one. */
export class EventLog<Event> {
  readonly all: Event[] = []
  readonly #waiting = new Set<() => void>()

  push(event: Event): void {
    this.all.push(event)
    for (const look of this.#waiting) look()
  }

  /** Resolves with the first event that `isWanted`, of those that came behind `after`. */
  until(isWanted: (event: Event) => boolean, after?: Event): Promise<Event> {
    const start = after === undefined ? 0 : this.all.indexOf(after) + 1
    return new Promise((resolve) => {
      const look = (): void => {
        const event = this.all.slice(start).find(isWanted)
        if (event === undefined) return
        this.#waiting.delete(look)
        resolve(event)
      }
      this.#waiting.add(look)
      look()
    })
  }
}
