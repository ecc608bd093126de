import type { Notification } from '@apnsd/simulator'
import { parseApnsId } from '../../packages/apnsd/src/core/notifications/apns-id.ts'

/** What every payload of a soak says of itself. */
export interface Mark {
  readonly call: number
  /** Left out where the call's notifications share their payload. */
  readonly index?: number
}

/** One call of `notify`, and what has become of its notifications as far as Apple's stand-in knows. */
export interface Call {
  readonly number: number
  readonly deviceTokens: readonly string[]
  /** `unknown` until the daemon has answered, and for good where its answer was lost. */
  answer: 'unknown' | 'yes'
  /** True once the daemon has to bring it to an end: it said yes, or it sent some of it and so has it all. */
  isOwed: boolean
  /** Learnt from the first `apns-id` that is seen. */
  batchId: string | null
  /** A byte each: how it ended there, 0 while it has not; both bits where a crash made it go twice. */
  readonly ends: Uint8Array
  /** How many have not ended. */
  open: number
}

const TAKEN = 1
const REFUSED = 2
const STATUS_OK = 200

/**
 * Keeps account of a soak: what the daemon said yes to, and how the stand-in for Apple ended it. It finds what never may
 * be: a notification under two names, for another device, or in a batch with another call's.
 */
export class Ledger {
  readonly calls: Call[] = []
  readonly problems: string[] = []
  /** Notifications that Apple's stand-in took more often than once. */
  sentTwice = 0
  #open = 0
  readonly #finalReasons: ReadonlySet<string>
  readonly #watchers = new Set<() => void>()

  /** @param finalReasons the reasons with which Apple's stand-in ends a notification; after others it is sent again */
  constructor(finalReasons: readonly string[]) {
    this.#finalReasons = new Set(finalReasons)
  }

  /** How many notifications the daemon owes an end to. */
  get open(): number {
    return this.#open
  }

  /** How many it has said yes to. */
  get accepted(): number {
    return this.calls.reduce(
      (sum, { answer, ends }) => sum + (answer === 'yes' ? ends.length : 0),
      0,
    )
  }

  /** Begins a call, before it is made. */
  begin(deviceTokens: readonly string[]): Call {
    const call: Call = {
      number: this.calls.length,
      deviceTokens,
      answer: 'unknown',
      isOwed: false,
      batchId: null,
      ends: new Uint8Array(deviceTokens.length),
      open: deviceTokens.length,
    }
    this.calls.push(call)
    return call
  }

  /** The daemon has said yes: from now on nothing of it may get lost. */
  noteYes(call: Call): void {
    call.answer = 'yes'
    this.#owe(call)
  }

  /** Apple's stand-in has answered a notification. */
  noteAnswer({ apnsId, deviceToken, payload, status, reason }: Notification): void {
    const { call: number, index: marked } = payload as Mark
    const call = this.calls[number]
    const id = parseApnsId(apnsId)
    if (call === undefined || id === null) {
      this.problems.push(`nobody sent ${apnsId}`)
      return
    }
    call.batchId ??= id.batchId
    this.#owe(call)
    const isRight =
      call.batchId === id.batchId &&
      call.deviceTokens[id.index] === deviceToken &&
      (marked ?? id.index) === id.index
    if (!isRight) this.problems.push(`${apnsId} is not what call ${number} said`)
    else if (status === STATUS_OK) this.#end(call, id.index, TAKEN)
    else if (reason !== null && this.#finalReasons.has(reason)) this.#end(call, id.index, REFUSED)
  }

  /** Resolves when nothing is open. */
  async settled(): Promise<void> {
    while (this.#open > 0)
      await new Promise<void>((resolve) => {
        this.#watchers.add(resolve)
      })
  }

  #owe(call: Call): void {
    if (call.isOwed) return
    call.isOwed = true
    this.#open += call.open
  }

  #end(call: Call, index: number, end: number): void {
    const before = call.ends[index] ?? 0
    if ((before & end) !== 0) this.sentTwice += end === TAKEN ? 1 : 0
    call.ends[index] = before | end
    if (before !== 0) return
    call.open -= 1
    this.#open -= 1
    if (this.#open > 0) return
    for (const watcher of this.#watchers) watcher()
    this.#watchers.clear()
  }
}

/** Whether a state that the daemon tells agrees with how Apple's stand-in ended the notification. */
export function agrees(state: string, end: number): boolean {
  if (state === 'accepted') return (end & TAKEN) !== 0
  return state === 'rejected' && (end & REFUSED) !== 0
}
