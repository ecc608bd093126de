import type { Log } from '../base/log.ts'
import { formatApnsId } from '../core/notifications/apns-id.ts'
import type { Lease, OutcomeListener } from '../core/ports.ts'

/** At most one line for each app in so much time, however many notifications end. */
const INTERVAL_MS = 1000

interface Counts {
  accepted: number
  /** By Apple's reason, or the state where that is not `rejected`; each with one `apns-id` to look into. */
  readonly others: Map<string, { count: number; exampleApnsId: string }>
}

/** Says in the log what became of notifications, summed up by app. */
export class OutcomeLog implements OutcomeListener {
  readonly #log: Log
  readonly #byApp = new Map<string, Counts>()
  #timer: NodeJS.Timeout | undefined

  constructor(log: Log) {
    this.#log = log
  }

  chunkGivenBack({ chunk, outcomes }: Lease): void {
    if (outcomes.waiting > 0) return // its next lease ends it, and counts it then
    const counts = this.#countsOf(chunk.appId)
    for (let index = 0; index < outcomes.states.length; index += 1) {
      const state = outcomes.stateOf(index)
      if (state === 'accepted') {
        counts.accepted += 1
        continue
      }
      const detail = outcomes.details.get(index)
      const name =
        state === 'rejected' ? (detail?.reason ?? '') || `status ${detail?.status}` : state
      const other = counts.others.get(name)
      if (other !== undefined) other.count += 1
      else
        counts.others.set(name, {
          count: 1,
          exampleApnsId: formatApnsId(chunk.batchId, chunk.firstIndex + index),
        })
    }
    this.#timer ??= setTimeout(() => this.flush(), INTERVAL_MS)
  }

  /** Writes what has been counted, now. */
  flush(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
    for (const [app, { accepted, others }] of this.#byApp)
      this.#log[others.size > 0 ? 'warn' : 'info'](
        { app, accepted, ...(others.size > 0 ? { others: Object.fromEntries(others) } : {}) },
        'outcomes',
      )
    this.#byApp.clear()
  }

  #countsOf(appId: string): Counts {
    let counts = this.#byApp.get(appId)
    if (counts === undefined) {
      counts = { accepted: 0, others: new Map() }
      this.#byApp.set(appId, counts)
    }
    return counts
  }
}
