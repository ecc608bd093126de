import { BlockList, isIP } from 'node:net'
import { ApnsError } from '../errors.ts'

/** A proxy on the way out. */
export interface Proxy {
  /** `socks5h` leaves it to the proxy to look the name up; `https` speaks TLS with the proxy itself. */
  readonly protocol: 'http' | 'https' | 'socks5' | 'socks5h'
  /** A name, or an address without brackets. */
  readonly host: string
  readonly port: number
  readonly credentials: { readonly username: string; readonly password: string } | null
}

/** A proxy's address that is none; the caller's to mend. */
export class ProxyAddressError extends ApnsError {
  constructor(message: string) {
    super('proxy-address-invalid', message, { retry: false })
  }
}

const DEFAULT_PORTS = { http: 80, https: 443, socks5: 1080, socks5h: 1080 } as const
const HAS_SCHEME = /^[a-z][a-z0-9+.-]*:\/\//i

/**
 * Reads a proxy's address, such as `http://user:password@proxy.example.com:3128`; without a scheme it is `http`. What is
 * special in user and password is percent-encoded. Without a port: 80, 443, and 1080 for SOCKS.
 * @throws {ProxyAddressError} which never shows user and password
 */
export function readProxy(value: string | URL): Proxy {
  const text = String(value).trim()
  let url: URL
  try {
    url = new URL(HAS_SCHEME.test(text) ? text : `http://${text}`)
  } catch {
    throw new ProxyAddressError(
      'The address of the proxy cannot be read. It looks like http://proxy.example.com:3128.',
    )
  }
  const protocol = url.protocol.slice(0, -1)
  if (!Object.hasOwn(DEFAULT_PORTS, protocol))
    throw new ProxyAddressError(
      `A proxy speaks http, https, socks5 or socks5h, not ${protocol.slice(0, 20)}.`,
    )
  const known = protocol as Proxy['protocol']
  if (url.hostname === '') throw new ProxyAddressError('The address of the proxy names no host.')
  return {
    protocol: known,
    host: url.hostname.replace(/^\[(.*)\]$/, '$1'),
    port: url.port === '' ? DEFAULT_PORTS[known] : Number(url.port),
    credentials: url.username === '' && url.password === '' ? null : readCredentials(url),
  }
}

function readCredentials({ username, password }: URL): Proxy['credentials'] {
  try {
    return { username: decodeURIComponent(username), password: decodeURIComponent(password) }
  } catch {
    throw new ProxyAddressError(
      'User or password of the proxy hold a % that starts no percent-encoding; write %25 for it.',
    )
  }
}

/**
 * Finds the proxy that an environment names for a URL, by curl's rules: `https_proxy`, else `all_proxy`, each in lower case
 * before upper; none for what `no_proxy` lists: hosts with all below them, `host:port`, addresses, networks (`10.0.0.0/8`),
 * `*`. And none to this machine itself, which no proxy elsewhere could reach.
 * @throws {ProxyAddressError}
 */
export function proxyFor(
  url: URL,
  environment: Readonly<Record<string, string | undefined>>,
): Proxy | null {
  const read = (name: string): string =>
    (environment[name] || environment[name.toUpperCase()] || '').trim()
  const address = read('https_proxy') || read('all_proxy')
  if (address === '' || isThisMachine(hostOf(url))) return null
  const exceptions = read('no_proxy')
    .split(/[\s,]+/)
    .filter((entry) => entry !== '')
  return exceptions.some((entry) => covers(entry, url)) ? null : readProxy(address)
}

/** Without brackets, and without the dot that ends a whole name. */
const hostOf = (url: URL): string =>
  url.hostname
    .replace(/^\[(.*)\]$/, '$1')
    .replace(/\.$/, '')
    .toLowerCase()

const isThisMachine = (host: string): boolean =>
  host === 'localhost' || host === '::1' || (isIP(host) === 4 && host.startsWith('127.'))

function covers(entry: string, url: URL): boolean {
  if (entry === '*') return true
  const host = hostOf(url)
  const [, bracketed, plain, port] = /^(?:\[(.*)\]|([^:]*))(?::(\d+))?$/.exec(entry) ?? []
  // what has more than one colon and no brackets is an IPv6 address
  const name = (bracketed ?? plain ?? entry).replace(/^\.|\.$/g, '').toLowerCase()
  if (port !== undefined && port !== (url.port || '443')) return false
  if (isIP(host) !== 0) return isInNetwork(host, name)
  return name !== '' && (host === name || host.endsWith(`.${name}`))
}

/** An address is a network of one, and may be written in several ways. */
function isInNetwork(address: string, network: string): boolean {
  const family = isIP(address)
  const [base = '', bits = family === 4 ? '32' : '128'] = network.split('/')
  if (isIP(base) !== family || !/^\d{1,3}$/.test(bits)) return false
  if (Number(bits) > (family === 4 ? 32 : 128)) return false
  const type = family === 4 ? 'ipv4' : 'ipv6'
  const list = new BlockList()
  list.addSubnet(base, Number(bits), type)
  return list.check(address, type)
}
