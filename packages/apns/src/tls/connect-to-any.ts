import { connect, type Socket } from 'node:net'
import { ATTEMPT_DELAY_MS, noteFailed, noteGivenUp } from './addresses.ts'

/** An address that was tried, and what it said. */
export interface FailedAttempt {
  readonly address: string
  readonly cause: Error
}

/** The socket that connected first, and what failed before. */
export interface Winner {
  readonly socket: Socket
  readonly address: string
  readonly failed: readonly FailedAttempt[]
}

/** No address could be connected to. */
export class NoAddressError extends Error {
  readonly attempts: readonly FailedAttempt[]

  constructor(attempts: readonly FailedAttempt[]) {
    super(formatAttempts(attempts))
    this.attempts = attempts
  }
}

/** What an attempt said, in a word: `ECONNREFUSED`. */
export const wordFor = (cause: Error): string =>
  (cause as NodeJS.ErrnoException).code ?? cause.message

export const formatAttempts = (attempts: readonly FailedAttempt[]): string =>
  attempts.map(({ address, cause }) => `${address} said ${wordFor(cause)}`).join(', ')

/** Told of each change: the addresses that have not answered yet, and those that failed. */
export type AttemptsListener = (
  running: readonly string[],
  failed: readonly FailedAttempt[],
) => void

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
  onChange: AttemptsListener,
): Promise<Winner> {
  return new Promise((resolve, reject) => {
    new Race(addresses, port, signal, onChange, { resolve, reject }).startNext()
  })
}

interface Attempt {
  readonly address: string
  readonly startedAtMs: number
}

interface Finish {
  readonly resolve: (winner: Winner) => void
  readonly reject: (cause: Error) => void
}

class Race {
  readonly #waiting: string[]
  readonly #port: number
  readonly #signal: AbortSignal
  readonly #onChange: AttemptsListener
  readonly #finish: Finish
  readonly #running = new Map<Socket, Attempt>()
  readonly #failed: FailedAttempt[] = []
  readonly #onAbort = (): void => this.#lose(this.#signal.reason as Error)
  #timer: NodeJS.Timeout | undefined

  constructor(
    addresses: readonly string[],
    port: number,
    signal: AbortSignal,
    onChange: AttemptsListener,
    finish: Finish,
  ) {
    this.#waiting = [...addresses]
    this.#port = port
    this.#signal = signal
    this.#onChange = onChange
    this.#finish = finish
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
    else if (this.#running.size === 0) {
      this.#lose(new NoAddressError(this.#failed))
      return
    }
    this.#onChange(
      Array.from(this.#running.values(), (attempt) => attempt.address),
      this.#failed,
    )
  }

  #start(address: string): void {
    const socket = connect({ host: address, port: this.#port })
    this.#running.set(socket, { address, startedAtMs: performance.now() })
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
    this.#finish.resolve({ socket, address, failed: this.#failed })
  }

  #lose(cause: Error): void {
    this.#end()
    this.#finish.reject(cause)
  }

  #end(): void {
    clearTimeout(this.#timer)
    this.#signal.removeEventListener('abort', this.#onAbort)
    const losers = [...this.#running]
    this.#running.clear()
    for (const [socket, { address, startedAtMs }] of losers) {
      socket.destroy()
      noteGivenUp(address, startedAtMs)
    }
  }
}
