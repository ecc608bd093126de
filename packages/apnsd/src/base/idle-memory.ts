import { type EventLoopUtilization, performance } from 'node:perf_hooks'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

const INTERVAL_MS = 500
/** Bursts that follow one another need no collection after each. */
const LEAST_GAP_MS = 30_000
/** The event loop is busy for a smaller share than this: nobody minds a pause of some tens of milliseconds. */
const IDLE_SHARE = 0.1
/** A heap that is no larger is left alone. */
const SMALL_HEAP_BYTES = 96 * 1024 * 1024
/** The heap has to have grown by so much since it was last looked through. */
const GROWTH = 1.5

/** What V8 calls `gc` where that is exposed: a collection that gives back all it can. */
type Collect = (options: { type: 'major'; execution: 'sync'; flavor: 'last-resort' }) => void

/**
 * Gives memory back when a burst is over. V8 collects garbage as it allocates: what a burst has left lies about until the
 * next one, 300 MB of it beside 30 MB in use [measured, 1 M notifications handed in by calls of a thousand].
 */
export class IdleMemory {
  readonly #collect: Collect = exposeCollect()
  #timer: NodeJS.Timeout | undefined
  #utilization: EventLoopUtilization = performance.eventLoopUtilization()
  #heapAfterBytes = 0
  #collectedAtMs = Number.NEGATIVE_INFINITY

  start(): void {
    this.#timer = setInterval(() => this.#check(), INTERVAL_MS)
    this.#timer.unref()
  }

  stop(): void {
    clearInterval(this.#timer)
  }

  #check(): void {
    const now = performance.eventLoopUtilization()
    const { utilization } = performance.eventLoopUtilization(now, this.#utilization)
    this.#utilization = now
    if (utilization >= IDLE_SHARE || performance.now() < this.#collectedAtMs + LEAST_GAP_MS) return
    const { heapTotal } = process.memoryUsage()
    const isGrown = heapTotal > SMALL_HEAP_BYTES && heapTotal > GROWTH * this.#heapAfterBytes
    if (!isGrown) return
    this.#collect({ type: 'major', execution: 'sync', flavor: 'last-resort' })
    this.#heapAfterBytes = process.memoryUsage().heapTotal
    this.#collectedAtMs = performance.now()
    // its own pause is not the loop's load
    this.#utilization = performance.eventLoopUtilization()
  }
}

/** V8 shows its `gc` to contexts made while the flag is set; nothing else gets to see it. */
function exposeCollect(): Collect {
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc') as Collect
  setFlagsFromString('--no-expose-gc')
  return collect
}
