import { isIP, type Socket } from 'node:net'
import { ConnectError } from '../errors.ts'
import { HeldAddress, noteConnected, noteFailed, noteGivenUp } from './addresses.ts'
import {
  addressesOf,
  connectOrExplain,
  type DialledSocket,
  type DialSteps,
  secureOrExplain,
} from './dial-steps.ts'
import type { Proxy } from './proxy.ts'
import type { Target, TlsContext } from './tls-context.ts'
import { explainTlsFault, PeerGoneError } from './tls-fault.ts'
import { formatProxy, formatTarget, NoWayError, openTunnel } from './tunnel.ts'

/**
 * Connects to a host through a proxy. By `socks5` the host's name is ours to look up: its addresses are tried in turn, over
 * a connection to the proxy each; by all others it is the proxy's.
 * @throws {ConnectError} naming the proxy and what it said; never its user and password
 */
export async function dialThrough(
  proxy: Proxy,
  target: Target,
  context: TlsContext,
  steps: DialSteps,
): Promise<DialledSocket> {
  if (proxy.protocol === 'socks5') return tryAddresses(proxy, target, context, steps)
  const socket = await openWay(proxy, target, context, steps)
  const peer = `${formatTarget(target)} by way of ${formatProxy(proxy)}`
  return { socket: await secureOrExplain(peer, socket, target, context, steps), address: null }
}

async function tryAddresses(
  proxy: Proxy,
  target: Target,
  context: TlsContext,
  steps: DialSteps,
): Promise<DialledSocket> {
  const held = new HeldAddress()
  const failed: Error[] = []
  try {
    for (const address of await addressesOf(target.host, held, steps)) {
      held.change(address)
      const startedAtMs = performance.now()
      try {
        const socket = await openWay(proxy, { ...target, host: address }, context, steps)
        const peer = `${formatTarget(target)} at ${address} by way of ${formatProxy(proxy)}`
        const secured = await secureOrExplain(peer, socket, target, context, steps)
        noteConnected(address)
        return { socket: secured, address }
      } catch (error) {
        if (steps.signal.aborted) noteGivenUp(address, startedAtMs)
        if (!(error instanceof NoWayError || error instanceof PeerGoneError)) throw error
        noteFailed(address)
        failed.push(error)
      }
    }
  } finally {
    held.release()
  }
  if (isIP(target.host) !== 0 && failed[0] !== undefined) throw failed[0]
  const said = failed.map(({ message }) => message).join('; ')
  throw new ConnectError(`${formatTarget(target)} cannot be reached: ${said}`, failed[0])
}

/** Has the proxy make a tunnel to a target, and gives its near end. */
async function openWay(
  proxy: Proxy,
  target: Target,
  context: TlsContext,
  steps: DialSteps,
): Promise<Socket> {
  const { signal, onStep } = steps
  const name = formatProxy(proxy)
  const addresses = await addressesOf(proxy.host, null, steps)
  const { socket, address } = await connectOrExplain(name, addresses, proxy.port, [], steps)
  const onAbort = (): void => void socket.destroy()
  signal.addEventListener('abort', onAbort)
  try {
    signal.throwIfAborted()
    const toProxy =
      proxy.protocol === 'https' ? await secureToProxy(socket, proxy, context, steps) : socket
    onStep?.(`${name} to make a way to ${formatTarget(target)}`)
    await openTunnel(toProxy, proxy, target)
    noteConnected(address)
    return toProxy
  } catch (error) {
    socket.destroy()
    throw error
  } finally {
    signal.removeEventListener('abort', onAbort)
  }
}

async function secureToProxy(
  socket: Socket,
  proxy: Proxy,
  context: TlsContext,
  { signal, onStep }: DialSteps,
): Promise<Socket> {
  onStep?.(`TLS with ${formatProxy(proxy)}`)
  try {
    return await context.secureToProxy(socket, { host: proxy.host, port: proxy.port }, signal)
  } catch (error) {
    // its faults are not Apple's: an alert of the proxy is no word on our certificate, nor its hanging up on an address
    const { message, cause } = explainTlsFault(formatProxy(proxy), error as Error)
    throw new ConnectError(message, cause)
  }
}
