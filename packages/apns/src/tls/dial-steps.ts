import type { Socket } from 'node:net'
import type { TLSSocket } from 'node:tls'
import { ConnectError } from '../errors.ts'
import { findAddresses, type HeldAddress, type Lookup, systemLookup } from './addresses.ts'
import {
  connectToAny,
  type FailedAttempt,
  formatAttempts,
  NoAddressError,
  type Winner,
  wordFor,
} from './connect-to-any.ts'
import type { Target, TlsContext } from './tls-context.ts'
import { alertAboutOurCertificate, explainTlsFault } from './tls-fault.ts'
import { unlessAborted } from './until-aborted.ts'

/** What the steps of a dial have in common. */
export interface DialSteps {
  /** Ends the attempt: the dial rejects with its reason and leaves no socket behind. */
  readonly signal: AbortSignal
  /** How many connections lead to an address now; the least used are tried first. */
  readonly connectionsTo?: ((address: string) => number) | undefined
  /** Gives all addresses of a name; absent: the system's answer, asked for each time. */
  readonly lookup?: Lookup | undefined
  /** Told at each step what the dial waits for, so that whoever gives it up can say so. */
  readonly onStep?: ((waitingFor: string) => void) | undefined
}

/** A socket on which TLS is done and `h2` agreed upon. Its owner listens for its errors from here on. */
export interface DialledSocket {
  readonly socket: TLSSocket
  /** Where it leads to; null where only a proxy knows. */
  readonly address: string | null
}

/**
 * Finds the addresses to try for a host, in order.
 * @param held holds the first of them; null: connections to them are not counted, as they are a proxy's
 * @throws {ConnectError} the name has none, or cannot be looked up
 */
export async function addressesOf(
  host: string,
  held: HeldAddress | null,
  { lookup = systemLookup, connectionsTo = () => 0, onStep, signal }: DialSteps,
): Promise<string[]> {
  onStep?.(`the addresses of ${host}`)
  const countOf = held === null ? () => 0 : connectionsTo
  let addresses: string[]
  try {
    addresses = await unlessAborted(findAddresses(host, lookup, countOf, held), signal)
  } catch (cause) {
    throw new ConnectError(
      `the name ${host} cannot be looked up: ${wordFor(cause as Error)}`,
      cause,
    )
  }
  if (addresses.length === 0) throw new ConnectError(`the name ${host} has no address`)
  return addresses
}

/**
 * Connects by TCP to one of a host's addresses.
 * @param peer what the host is to the reader of an error: `api.push.apple.com:443`, `the http proxy 10.0.0.1:3128`
 * @throws {ConnectError} naming each address and what it said, those in `failedBefore` too
 */
export async function connectOrExplain(
  peer: string,
  addresses: readonly string[],
  port: number,
  failedBefore: readonly FailedAttempt[],
  { signal, onStep }: DialSteps,
): Promise<Winner> {
  try {
    return await connectToAny(addresses, port, signal, (running, failed) => {
      const said = [...failedBefore, ...failed]
      const others = said.length === 0 ? '' : `; ${formatAttempts(said)}`
      onStep?.(`${peer} to take a connection at ${running.join(' or ')}${others}`)
    })
  } catch (error) {
    if (!(error instanceof NoAddressError)) throw error
    throw explainUnreachable(peer, [...failedBefore, ...error.attempts])
  }
}

export const explainUnreachable = (peer: string, failed: readonly FailedAttempt[]): ConnectError =>
  new ConnectError(`${peer} cannot be reached: ${formatAttempts(failed)}`, failed[0]?.cause)

/**
 * Does TLS with the host; on a failure it destroys the socket.
 * @param peer whom the socket leads to, and how: `api.push.apple.com:443 at 17.188.143.34`
 * @throws {Error} Node's own for an alert by which the peer turns our certificate away
 * @throws {PeerGoneError} it hung up
 * @throws {ConnectError} anything else, Node's error as its cause
 */
export async function secureOrExplain(
  peer: string,
  socket: Socket,
  target: Target,
  context: TlsContext,
  { signal, onStep }: DialSteps,
): Promise<TLSSocket> {
  onStep?.(`TLS with ${peer}`)
  try {
    return await context.secure(socket, target, signal)
  } catch (error) {
    socket.destroy()
    if (error instanceof ConnectError || alertAboutOurCertificate(error as Error) !== null)
      throw error
    throw explainTlsFault(peer, error as Error)
  }
}
