import { isIPv4, isIPv6, type Socket } from 'node:net'
import { ConnectError } from '../errors.ts'
import type { Proxy } from './proxy.ts'
import { SocketReader } from './socket-reader.ts'
import type { Target } from './tls-context.ts'
import { wordsOf } from './tls-fault.ts'

/** The most that a proxy may say before the tunnel stands. */
const MAX_ANSWER_BYTES = 16 * 1024
const SOCKS_VERSION = 5
const NO_AUTHENTICATION = 0
const USERNAME_PASSWORD = 2
const COMMAND_CONNECT = 1
const ADDRESS_IPV4 = 1
const ADDRESS_NAME = 3
const ADDRESS_IPV6 = 4
/** [RFC 1928 §6] */
const SOCKS_REPLIES = [
  'done',
  'general failure',
  'not allowed by its rules',
  'network unreachable',
  'host unreachable',
  'connection refused',
  'time to live expired',
  'it knows no CONNECT',
  'it knows no such kind of address',
]

/** A proxy tried to reach a target and could not, or would not: another address may do. */
export class NoWayError extends ConnectError {}

/**
 * Has a proxy that the socket is connected to make a tunnel to `target`. What the target says first stays in the socket.
 * @throws {NoWayError} a SOCKS5 proxy cannot reach this address
 * @throws {ConnectError} naming proxy and target, and what the proxy said; never the password
 */
export async function openTunnel(socket: Socket, proxy: Proxy, target: Target): Promise<void> {
  const reader = new SocketReader(socket)
  try {
    if (proxy.protocol === 'http' || proxy.protocol === 'https')
      await connectByHttp(socket, reader, proxy, target)
    else await connectBySocks(socket, reader, proxy, target)
    reader.release()
  } catch (cause) {
    const message = `${formatProxy(proxy)} made no way to ${formatTarget(target)}: ${wordsOf(cause as Error)}`
    throw cause instanceof SocksReplyError
      ? new NoWayError(message, cause)
      : new ConnectError(message, cause)
  }
}

class SocksReplyError extends Error {}

/** `the http proxy 10.0.0.1:3128`; never its user and password. */
export const formatProxy = ({ protocol, host, port }: Proxy): string =>
  `the ${protocol} proxy ${formatTarget({ host, port })}`

/** `host:port`, with an IPv6 address in brackets. */
export const formatTarget = ({ host, port }: Target): string =>
  isIPv6(host) ? `[${host}]:${port}` : `${host}:${port}`

/** [RFC 9110 §9.3.6] */
async function connectByHttp(
  socket: Socket,
  reader: SocketReader,
  { credentials }: Proxy,
  target: Target,
): Promise<void> {
  const authority = formatTarget(target)
  const lines = [`CONNECT ${authority} HTTP/1.1`, `Host: ${authority}`]
  if (credentials !== null) {
    const { username, password } = credentials
    const basic = Buffer.from(`${username}:${password}`).toString('base64')
    lines.push(`Proxy-Authorization: Basic ${basic}`)
  }
  socket.write(`${lines.join('\r\n')}\r\n\r\n`)
  const answer = await readHttpAnswer(reader)
  const [, status = '', reason = ''] =
    /^HTTP\/1\.[01] (\d{3})(?: ([ -~]{0,80}))?/.exec(answer) ?? []
  if (status === '') throw new Error('it does not answer as an HTTP proxy does')
  if (status === '407') throw new Error(explainDemand(answer, credentials))
  if (!status.startsWith('2')) throw new Error(`it answered ${`${status} ${reason}`.trim()}`)
}

/** What a proxy wants that answers 407. */
function explainDemand(answer: string, credentials: Proxy['credentials']): string {
  const offered = answer.matchAll(/^proxy-authenticate:[ \t]*([a-z][a-z0-9-]{0,20})/gim)
  const schemes = Array.from(offered, ([, scheme = '']) => scheme)
  if (schemes.length > 0 && !schemes.some((scheme) => scheme.toLowerCase() === 'basic'))
    return `it wants ${schemes.join(' or ')}, and only Basic is spoken here (407)`
  return credentials === null
    ? 'it wants user and password (407)'
    : 'it does not take this user and password (407)'
}

async function readHttpAnswer(reader: SocketReader): Promise<string> {
  try {
    const bytes = await reader.readTo('\r\n\r\n', MAX_ANSWER_BYTES)
    return bytes.toString('latin1')
  } catch (error) {
    if (!(error instanceof RangeError)) throw error
    throw new Error('it does not answer as an HTTP proxy does', { cause: error })
  }
}

/** [RFC 1928] */
async function connectBySocks(
  socket: Socket,
  reader: SocketReader,
  { credentials }: Proxy,
  target: Target,
): Promise<void> {
  const methods =
    credentials === null ? [NO_AUTHENTICATION] : [NO_AUTHENTICATION, USERNAME_PASSWORD]
  socket.write(Uint8Array.from([SOCKS_VERSION, methods.length, ...methods]))
  const [version, method] = await reader.read(2)
  if (version !== SOCKS_VERSION) throw new Error('it does not answer as a SOCKS5 proxy does')
  if (method === USERNAME_PASSWORD && credentials !== null)
    await authenticateBySocks(socket, reader, credentials)
  else if (method !== NO_AUTHENTICATION)
    throw new Error(
      credentials === null
        ? 'it wants user and password'
        : 'it takes neither user and password nor nobody',
    )
  const port = [target.port >> 8, target.port & 0xff]
  const request = [SOCKS_VERSION, COMMAND_CONNECT, 0, ...encodeAddress(target.host), ...port]
  socket.write(Uint8Array.from(request))
  await readSocksReply(reader)
}

/** [RFC 1929] */
async function authenticateBySocks(
  socket: Socket,
  reader: SocketReader,
  { username, password }: { username: string; password: string },
): Promise<void> {
  const [user, word] = [Buffer.from(username), Buffer.from(password)]
  if (user.length === 0 || user.length > 255 || word.length > 255)
    throw new Error('SOCKS5 takes a user of 1 to 255 bytes and a password of at most 255')
  socket.write(Uint8Array.from([1, user.length, ...user, word.length, ...word]))
  const [, status] = await reader.read(2)
  if (status !== 0) throw new Error('it does not take this user and password')
}

async function readSocksReply(reader: SocketReader): Promise<void> {
  const [version, reply = 1, , addressType] = await reader.read(4)
  if (version !== SOCKS_VERSION) throw new Error('it does not answer as a SOCKS5 proxy does')
  if (reply !== 0)
    throw new SocksReplyError(`it answered: ${SOCKS_REPLIES[reply] ?? `failure ${reply}`}`)
  await reader.read((await readAddressLength(reader, addressType)) + 2)
}

async function readAddressLength(
  reader: SocketReader,
  addressType: number | undefined,
): Promise<number> {
  if (addressType === ADDRESS_IPV4) return 4
  if (addressType === ADDRESS_IPV6) return 16
  if (addressType !== ADDRESS_NAME) throw new Error('it does not answer as a SOCKS5 proxy does')
  const [length = 0] = await reader.read(1)
  return length
}

function encodeAddress(host: string): number[] {
  if (isIPv4(host)) return [ADDRESS_IPV4, ...host.split('.').map(Number)]
  if (isIPv6(host)) return [ADDRESS_IPV6, ...encodeIpv6(host)]
  const name = Buffer.from(host)
  if (name.length > 255) throw new Error('the name of the host is too long for SOCKS5')
  return [ADDRESS_NAME, name.length, ...name]
}

function encodeIpv6(address: string): number[] {
  // the URL parser writes it out in its one canonical form, without IPv4 at its end
  const canonical = new URL(`http://[${address}]`).hostname.slice(1, -1)
  const [head = '', tail] = canonical.split('::')
  const groupsOf = (part: string): string[] => (part === '' ? [] : part.split(':'))
  const front = groupsOf(head)
  const back = groupsOf(tail ?? '')
  const zeros = Array.from({ length: 8 - front.length - back.length }, () => '0')
  return [...front, ...zeros, ...back].flatMap((group) => {
    const value = Number.parseInt(group, 16)
    return [value >> 8, value & 0xff]
  })
}
