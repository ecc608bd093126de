import { HeldAddress, noteConnected, noteFailed, noteGivenUp } from './addresses.ts'
import type { FailedAttempt, Winner } from './connect-to-any.ts'
import {
  addressesOf,
  connectOrExplain,
  type DialledSocket,
  type DialSteps,
  explainUnreachable,
  secureOrExplain,
} from './dial-steps.ts'
import { dialThrough } from './dial-through.ts'
import type { Proxy } from './proxy.ts'
import type { Target, TlsContext } from './tls-context.ts'
import { PeerGoneError } from './tls-fault.ts'
import { formatTarget } from './tunnel.ts'

export type { DialledSocket } from './dial-steps.ts'

export interface DialOptions extends DialSteps {
  /** `https://` and a host, with a port where it is not 443. */
  readonly url: URL
  readonly context: TlsContext
  /** The way out; null: directly. */
  readonly proxy: Proxy | null
}

/**
 * Connects to a host: looks its name up, tries its addresses, does TLS, agrees on HTTP/2; through a proxy if there is one.
 *
 * An address that takes the connection and hangs up within the handshake counts as one that failed, and the others are tried.
 * A certificate that is wrong, ours or the peer's, ends the attempt: all addresses of a name have the same.
 *
 * @throws what the signal says, when it says so first; no socket is left behind
 * @throws {ConnectError} naming the host, and each address with what it said; Node's own error, if there is one, as its cause
 * @throws {Error} Node's own for a TLS alert by which the peer turns our certificate away: `alertAboutOurCertificate`
 */
export async function dial(options: DialOptions): Promise<DialledSocket> {
  const { url, proxy, context, signal } = options
  const target = { host: url.hostname.replace(/^\[(.*)\]$/, '$1'), port: Number(url.port || 443) }
  try {
    return proxy === null
      ? await dialDirectly(target, context, options)
      : await dialThrough(proxy, target, context, options)
  } catch (error) {
    throw signal.aborted ? signal.reason : error
  }
}

async function dialDirectly(
  target: Target,
  context: TlsContext,
  steps: DialSteps,
): Promise<DialledSocket> {
  const held = new HeldAddress()
  const name = formatTarget(target)
  const failed: FailedAttempt[] = []
  try {
    let addresses = await addressesOf(target.host, held, steps)
    while (addresses.length > 0) {
      const winner = await connectOrExplain(name, addresses, target.port, failed, steps)
      failed.push(...winner.failed)
      held.change(winner.address)
      try {
        return await secureWinner(winner, target, context, steps)
      } catch (error) {
        if (!(error instanceof PeerGoneError)) throw error
        failed.push({ address: winner.address, cause: error.cause as Error })
      }
      addresses = addresses.filter((other) => !failed.some(({ address }) => address === other))
    }
  } finally {
    held.release()
  }
  throw explainUnreachable(name, failed)
}

async function secureWinner(
  { socket, address }: Winner,
  target: Target,
  context: TlsContext,
  steps: DialSteps,
): Promise<DialledSocket> {
  const peer =
    target.host === address ? formatTarget(target) : `${formatTarget(target)} at ${address}`
  const startedAtMs = performance.now()
  try {
    const secured = await secureOrExplain(peer, socket, target, context, steps)
    noteConnected(address)
    return { socket: secured, address }
  } catch (error) {
    if (error instanceof PeerGoneError) noteFailed(address)
    else if (steps.signal.aborted) noteGivenUp(address, startedAtMs)
    throw error
  }
}
