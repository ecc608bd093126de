import { isIPv6 } from 'node:net'

/** Writes a listening host for a URL; one that stands for all addresses is reached by loopback. */
export function urlHost(host: string): string {
  if (host === '0.0.0.0') return '127.0.0.1'
  if (host === '::') return '[::1]'
  return isIPv6(host) ? `[${host}]` : host
}
