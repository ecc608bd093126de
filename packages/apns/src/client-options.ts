import type { ConnectLimiter } from './connect-limiter.ts'
import type { ConnectionTimings } from './connection.ts'
import type { ApnsEnvironment } from './credentials/certificate.ts'
import type { Credential } from './credentials/credential.ts'
import type { PoolEvent } from './pool.ts'
import type { Lookup } from './tls/addresses.ts'
import type { Proxy } from './tls/proxy.ts'

export interface ApnsClientOptions {
  /** Which of Apple's services to send to; to be left out where `url` is given. */
  readonly environment?: ApnsEnvironment | undefined
  /** 443, or 2197 where a firewall lets that through alone. Apple answers on both. */
  readonly port?: 443 | 2197 | undefined
  /** Another place than Apple's, such as a simulator: `https://127.0.0.1:8443`. */
  readonly url?: string | URL | undefined
  readonly credential: Credential
  /** Certificate authorities to trust besides those that Node trusts, PEM. */
  readonly ca?: readonly string[] | undefined
  /** An HTTP CONNECT or SOCKS5 proxy on the way, see `readProxy` and `proxyFor`; absent or null: none. */
  readonly proxy?: Proxy | null | undefined
  /** Gives all addresses of a name; absent: the system's answer, asked for anew for each connection. */
  readonly lookup?: Lookup | undefined
  /** How many connections it makes at most; 16. Past that there is little gain. [field] */
  readonly maxConnections?: number | undefined
  /** How often it looks whether it has more connections than it needs; a minute. */
  readonly shrinkIntervalMs?: number | undefined
  /** How many may wait before {@link ApnsClient.room} does; 10 000. */
  readonly maxWaiting?: number | undefined
  /** How long what `send` was given waits to be sent before it comes back as not processed; a minute. */
  readonly waitTimeoutMs?: number | undefined
  readonly timings?: Partial<ConnectionTimings>
  /** Called with each line of an NSS key log, by which Wireshark can read the traffic: for debugging, when asked for. */
  readonly onKeylog?: ((line: Buffer) => void) | undefined
  /** Bounds the rate of new connections; absent: one that all clients of the process share. */
  readonly limiter?: ConnectLimiter | undefined
  /** ms since the epoch, for provider tokens. */
  readonly now?: () => number
  /** From 0 up to 1, to spread the waits between attempts to connect and the changes of provider tokens. */
  readonly random?: () => number
  readonly onEvent?: (event: ClientEvent) => void
}

/** What happens to a client's connections, for logs and for whoever decides on them. */
export type ClientEvent = PoolEvent

export const CLIENT_DEFAULTS = {
  maxConnections: 16,
  shrinkIntervalMs: 60_000,
  maxWaiting: 10_000,
  waitTimeoutMs: 60_000,
} as const

const HOSTS: Readonly<Record<ApnsEnvironment, string>> = {
  sandbox: 'api.sandbox.push.apple.com',
  production: 'api.push.apple.com',
}

/** Where a client's connections lead. */
export function readUrl({ url, environment, port = 443 }: ApnsClientOptions): URL {
  if (url !== undefined) return new URL(url)
  if (environment !== undefined) return new URL(`https://${HOSTS[environment]}:${port}`)
  throw new TypeError('a client needs to be told its environment, or a url')
}
