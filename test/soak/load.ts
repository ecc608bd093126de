import { formatCall } from '../../packages/apnsd/src/doors/xmlrpc/format-message.ts'
import { parseResponse, XmlRpcFault } from '../../packages/apnsd/src/doors/xmlrpc/parse-response.ts'
import type { XmlRpcValue } from '../../packages/apnsd/src/doors/xmlrpc/values.ts'
import type { SeededRandom } from '../support/seeded-random.ts'
import type { Call, Ledger, Mark } from './ledger.ts'
import type { SoakStage } from './soak-stage.ts'

const CLIENTS = 8
/** With so many open nobody calls: the daemon is not to drown, it is to be held at one level. */
const MOST_OPEN = 5000
const DEVICE_TOKENS_OF_AN_APP = 2000
const LARGE_CALL = 1000
const MIDDLE_CALL = 50
const SHARE_OF_LARGE_CALLS = 0.02
const SHARE_OF_MIDDLE_CALLS = 0.2
const SHARE_OF_SHARED_PAYLOADS = 0.5
/** How often a client goes away before it has its answer. */
const SHARE_OF_LOST_ANSWERS = 0.02
const SHARE_OF_FEEDBACK_CALLS = 0.02
const TICK_MS = 50
/** The daemon is shutting down, as an HTTP status and as a fault. */
const FAULT_UNAVAILABLE = 503

export interface LoadParts {
  readonly stage: SoakStage
  readonly ledger: Ledger
  readonly random: SeededRandom
  readonly appIds: readonly string[]
  /** How many notifications a second. */
  readonly rate: number
}

/** Application servers that call the daemon at a steady rate, over XML-RPC, and now and then go away in the middle. */
export class Load {
  /** Rejects when a call had an answer that it must not have. */
  readonly failed: Promise<never>
  readonly #parts: LoadParts
  readonly #clients: Promise<void>[]
  readonly #tick: NodeJS.Timeout
  /** Notifications that may be sent now; below 0 after a large call. */
  #permits = 0
  readonly #waiting: (() => void)[] = []
  readonly #over = Promise.withResolvers<null>()
  #isOver = false

  constructor(parts: LoadParts) {
    this.#parts = parts
    const { promise: failed, reject } = Promise.withResolvers<never>()
    failed.catch(() => undefined)
    this.failed = failed
    this.#tick = setInterval(() => this.#grant(), TICK_MS)
    this.#clients = Array.from({ length: CLIENTS }, () => this.#client().catch(reject))
  }

  /** Makes no further call; resolves when the last ones have their answers, or have lost them. */
  async end(): Promise<void> {
    this.#isOver = true
    this.#over.resolve(null)
    clearInterval(this.#tick)
    for (const go of this.#waiting.splice(0)) go()
    await Promise.all(this.#clients)
  }

  #grant(): void {
    const { rate, ledger } = this.#parts
    if (ledger.open < MOST_OPEN)
      this.#permits = Math.min(rate, this.#permits + (rate * TICK_MS) / 1000)
    while (this.#permits > 0) {
      const go = this.#waiting.shift()
      if (go === undefined) return
      go()
    }
  }

  async #client(): Promise<void> {
    while (!this.#isOver) {
      if (this.#permits <= 0)
        await new Promise<void>((resolve) => {
          this.#waiting.push(resolve)
        })
      // there may never be a daemon again
      const url = await Promise.race([this.#parts.stage.serving(), this.#over.promise])
      if (url !== null) await this.#callOnce(url)
    }
  }

  async #callOnce(url: string): Promise<void> {
    const { random, appIds, ledger } = this.#parts
    const appId = random.pick(appIds)
    if (random.chance(SHARE_OF_FEEDBACK_CALLS)) await send(url, 'feedback', [appId], null)
    const deviceTokens = Array.from({ length: this.#size() }, () => this.#deviceToken(appId))
    this.#permits -= deviceTokens.length
    const call = ledger.begin(deviceTokens)
    const lost = random.chance(SHARE_OF_LOST_ANSWERS) ? new AbortController() : null
    if (lost !== null) setTimeout(() => lost.abort(), random.between(0, 20))
    const params = [appId, ...this.#arguments(call)]
    if (await send(url, 'notify', params, lost?.signal ?? null)) ledger.noteYes(call)
  }

  #size(): number {
    const { random } = this.#parts
    if (random.chance(SHARE_OF_LARGE_CALLS)) return LARGE_CALL
    return random.chance(SHARE_OF_MIDDLE_CALLS) ? random.between(2, MIDDLE_CALL) : 1
  }

  /** Apple ties a device token to one app, so each app has its own. */
  #deviceToken(appId: string): string {
    const { random, appIds } = this.#parts
    const number = appIds.indexOf(appId) * DEVICE_TOKENS_OF_AN_APP
    return (number + random.between(0, DEVICE_TOKENS_OF_AN_APP - 1)).toString(16).padStart(64, '0')
  }

  /** One device token and one payload, or lists of both, or a list and one payload for all. */
  #arguments({ number, deviceTokens }: Call): [XmlRpcValue, XmlRpcValue] {
    const payload = (mark: Mark) => ({ aps: { alert: 'hi' }, ...mark })
    const [only, second] = deviceTokens
    if (only !== undefined && second === undefined) return [only, payload({ call: number })]
    const isShared = this.#parts.random.chance(SHARE_OF_SHARED_PAYLOADS)
    return [
      [...deviceTokens],
      isShared
        ? payload({ call: number })
        : deviceTokens.map((_, index) => payload({ call: number, index })),
    ]
  }
}

/**
 * Calls a method.
 * @returns false where nobody knows whether it was taken, because the connection was lost, or where the daemon is going
 * @throws {XmlRpcFault} the daemon refused what it must take
 */
async function send(
  url: string,
  method: string,
  params: readonly XmlRpcValue[],
  signal: AbortSignal | null,
): Promise<boolean> {
  const headers = { 'content-type': 'text/xml' }
  const answer = await fetch(url, {
    method: 'POST',
    headers,
    body: formatCall(method, params),
    signal,
  })
    .then((response) => (response.status === FAULT_UNAVAILABLE ? null : response.text()))
    .catch(() => null)
  if (answer === null) return false
  try {
    parseResponse(answer)
    return true
  } catch (error) {
    if (error instanceof XmlRpcFault && error.faultCode === FAULT_UNAVAILABLE) return false
    throw error
  }
}
