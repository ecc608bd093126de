import type { TLSSocket } from 'node:tls'
import { AddressUse } from '../address-use.ts'
import { ConnectError } from '../errors.ts'
import { findAddresses, type Lookup, noteFailed, systemLookup } from './addresses.ts'
import { connectToAny, type FailedAttempt, NoAddressError, wordFor } from './connect-to-any.ts'
import type { Proxy } from './proxy.ts'
import type { Target, TlsContext } from './tls-context.ts'
import { formatTarget, openTunnel } from './tunnel.ts'

export interface DialOptions {
  /** `https://` and a host, with a port where it is not 443. */
  readonly url: URL
  readonly context: TlsContext
  /** The way out; null: directly. */
  readonly proxy: Proxy | null
  /** How many connections lead to an address now; the least used are tried first. */
  readonly connectionsTo?: (address: string) => number
  /** Ends the attempt: the dial rejects with its reason and leaves no socket behind. */
  readonly signal: AbortSignal
  /** Gives all addresses of a name; absent: the system's answer, asked for each time. */
  readonly lookup?: Lookup | undefined
}

/** A socket on which TLS is done and `h2` agreed upon. Its owner listens for its errors from here on. */
export interface DialledSocket {
  readonly socket: TLSSocket
  /** Where it leads to; null where only a proxy knows. */
  readonly address: string | null
}

/** The addresses that dials under way mean to use: those that begin together are to spread, too. */
const UNDER_WAY = new AddressUse()

/** What a socket says when the peer has gone, not when it does not like us. */
const IS_GONE = new Set(['ECONNRESET', 'EPIPE', 'ETIMEDOUT', 'ECONNABORTED'])

/**
 * Connects to a host: looks its name up, tries its addresses, does TLS, agrees on HTTP/2; through a proxy if there is one.
 *
 * An address that takes the connection and hangs up within the handshake counts as one that failed, and the others are tried.
 * A certificate that is wrong, ours or the peer's, ends the attempt: all addresses of a name have the same.
 *
 * @throws {ConnectError} naming the host, and each address with what it said
 * @throws {Error} Node's own, with its `code`, for what went wrong in the TLS handshake
 */
export async function dial(options: DialOptions): Promise<DialledSocket> {
  const { url, proxy } = options
  const target = { host: url.hostname.replace(/^\[(.*)\]$/, '$1'), port: Number(url.port || 443) }
  return proxy === null ? dialDirectly(options, target) : dialThrough(options, proxy, target)
}

async function dialDirectly(options: DialOptions, target: Target): Promise<DialledSocket> {
  const meant: string[] = []
  try {
    const addresses = await addressesOf(options, target, (address) => {
      meant.push(address)
      UNDER_WAY.add(address)
    })
    return await tryInTurn(options, target, addresses)
  } finally {
    for (const address of meant) UNDER_WAY.remove(address)
  }
}

async function tryInTurn(
  { context, signal }: DialOptions,
  target: Target,
  addresses: readonly string[],
): Promise<DialledSocket> {
  const failed: FailedAttempt[] = []
  let left = addresses
  while (left.length > 0) {
    const { socket, address } = await connectOrExplain(left, target, failed, signal)
    try {
      return { socket: await context.secure(socket, target, 'h2', signal), address }
    } catch (error) {
      socket.destroy()
      if (signal.aborted || !IS_GONE.has((error as NodeJS.ErrnoException).code ?? '')) throw error
      noteFailed(address)
      failed.push({ address, cause: error as Error })
      left = left.filter((other) => other !== address)
    }
  }
  throw unreachable(target, failed)
}

async function dialThrough(
  options: DialOptions,
  proxy: Proxy,
  target: Target,
): Promise<DialledSocket> {
  const { context, signal, lookup = systemLookup } = options
  const proxyTarget = { host: proxy.host, port: proxy.port }
  const addresses = await addressesOf({ ...options, connectionsTo: () => 0 }, proxyTarget)
  const { socket: raw } = await connectOrExplain(addresses, proxyTarget, [], signal)
  const onAbort = (): void => void raw.destroy()
  signal.addEventListener('abort', onAbort)
  try {
    const toProxy =
      proxy.protocol === 'https' ? await context.secure(raw, proxyTarget, 'http/1.1', signal) : raw
    // by socks5 it is ours to look the name up, by all others the proxy's
    const [resolved = target.host] =
      proxy.protocol === 'socks5' ? await findAddresses(target.host, lookup, () => 0) : []
    await openTunnel(toProxy, proxy, { host: resolved, port: target.port })
    return { socket: await context.secure(toProxy, target, 'h2', signal), address: null }
  } catch (error) {
    raw.destroy()
    throw signal.aborted ? signal.reason : error
  } finally {
    signal.removeEventListener('abort', onAbort)
  }
}

async function addressesOf(
  { lookup = systemLookup, connectionsTo = () => 0, signal }: DialOptions,
  { host }: Target,
  choose?: (address: string) => void,
): Promise<string[]> {
  let addresses: string[]
  try {
    const useOf = (address: string): number => connectionsTo(address) + UNDER_WAY.countOf(address)
    addresses = await findAddresses(host, lookup, useOf, choose)
  } catch (cause) {
    throw new ConnectError(
      `the name ${host} cannot be looked up: ${wordFor(cause as Error)}`,
      cause,
    )
  }
  signal.throwIfAborted()
  if (addresses.length === 0) throw new ConnectError(`the name ${host} has no address`)
  return addresses
}

async function connectOrExplain(
  addresses: readonly string[],
  target: Target,
  failed: readonly FailedAttempt[],
  signal: AbortSignal,
) {
  try {
    return await connectToAny(addresses, target.port, signal)
  } catch (error) {
    if (!(error instanceof NoAddressError)) throw error
    throw unreachable(target, [...failed, ...error.attempts])
  }
}

function unreachable(target: Target, failed: readonly FailedAttempt[]): ConnectError {
  const said = failed.map(({ address, cause }) => `${address} said ${wordFor(cause)}`).join(', ')
  return new ConnectError(`${formatTarget(target)} cannot be reached: ${said}`, failed[0]?.cause)
}
