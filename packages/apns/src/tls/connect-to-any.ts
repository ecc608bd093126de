import { connect, type Socket } from 'node:net'
import { noteConnected, noteFailed } from './addresses.ts'

/** What an attempt is given before the next one starts beside it. [RFC 8305 §5] */
const ATTEMPT_DELAY_MS = 250

/** An address that was tried, and what it said. */
export interface FailedAttempt {
  readonly address: string
  readonly cause: Error
}

/** No address could be connected to. */
export class NoAddressError extends Error {
  readonly attempts: readonly FailedAttempt[]

  constructor(attempts: readonly FailedAttempt[]) {
    super(attempts.map(({ address, cause }) => `${address}: ${wordFor(cause)}`).join(', '))
    this.attempts = attempts
  }
}

/** What an attempt said, in a word: `ECONNREFUSED`. */
export const wordFor = (cause: Error): string =>
  (cause as NodeJS.ErrnoException).code ?? cause.message

/**
 * Connects to the first of several addresses that answers. They are tried in order; each gets a quarter of a second, or
 * until it fails, before the next one starts beside it, and none is given up while it may still answer: a server 300 ms away
 * is slow, not dead, and Node's own `autoSelectFamily` drops it.
 *
 *     address 1  ├──────────────── connected ✓      the others are destroyed
 *     address 2        ├───── refused
 *     address 3              ├──────
 *               0    250   500 ms
 *
 * @throws {NoAddressError} when all have failed
 * @throws what the signal says, when it says so first; no socket is left behind
 * @see RFC 8305
 */
export function connectToAny(
  addresses: readonly string[],
  port: number,
  signal: AbortSignal,
): Promise<{ socket: Socket; address: string }> {
  return new Promise((resolve, reject) => {
    const race = new Race(addresses, port, signal, resolve, reject)
    race.startNext()
  })
}

class Race {
  readonly #waiting: string[]
  readonly #port: number
  readonly #signal: AbortSignal
  readonly #resolve: (winner: { socket: Socket; address: string }) => void
  readonly #reject: (cause: Error) => void
  readonly #running = new Set<Socket>()
  readonly #failed: FailedAttempt[] = []
  readonly #onAbort = (): void => this.#lose(this.#signal.reason as Error)
  #timer: NodeJS.Timeout | undefined

  constructor(
    addresses: readonly string[],
    port: number,
    signal: AbortSignal,
    resolve: (winner: { socket: Socket; address: string }) => void,
    reject: (cause: Error) => void,
  ) {
    this.#waiting = [...addresses]
    this.#port = port
    this.#signal = signal
    this.#resolve = resolve
    this.#reject = reject
    signal.addEventListener('abort', this.#onAbort)
  }

  startNext(): void {
    clearTimeout(this.#timer)
    if (this.#signal.aborted) {
      this.#onAbort()
      return
    }
    const address = this.#waiting.shift()
    if (address !== undefined) this.#start(address)
    else if (this.#running.size === 0) this.#lose(new NoAddressError(this.#failed))
  }

  #start(address: string): void {
    const socket = connect({ host: address, port: this.#port })
    this.#running.add(socket)
    socket.once('connect', () => this.#win(socket, address))
    // for good: whoever gets the socket next listens besides
    socket.on('error', (cause) => {
      if (!this.#running.delete(socket)) return
      this.#failed.push({ address, cause })
      noteFailed(address)
      this.startNext()
    })
    this.#timer = setTimeout(() => this.startNext(), ATTEMPT_DELAY_MS)
  }

  #win(socket: Socket, address: string): void {
    this.#running.delete(socket)
    this.#end()
    noteConnected(address)
    this.#resolve({ socket, address })
  }

  #lose(cause: Error): void {
    this.#end()
    this.#reject(cause)
  }

  #end(): void {
    clearTimeout(this.#timer)
    this.#signal.removeEventListener('abort', this.#onAbort)
    const losers = [...this.#running]
    this.#running.clear()
    for (const socket of losers) socket.destroy()
  }
}
