import { isIP } from 'node:net'
import { connect, type TLSSocket } from 'node:tls'

export interface DialOptions {
  /** `https://` and a host, with a port where it is not 443. */
  readonly url: URL
  /** Certificate authorities to trust, PEM; undefined: those that Node trusts. */
  readonly ca: readonly string[] | undefined
  /** What to show the peer; null: no certificate. */
  readonly certificate: { readonly certificatePem: string; readonly privateKeyPem: string } | null
}

/**
 * Starts to connect, TLS 1.2 or newer, with ALPN `h2`. The name is looked up each time, since Apple takes addresses out of
 * service, and Node tries all of them in turn, both families (`autoSelectFamily`, its default).
 */
export function dial({ url, ca, certificate }: DialOptions): TLSSocket {
  const host = url.hostname.replace(/^\[(.*)\]$/, '$1')
  return connect({
    host,
    port: Number(url.port || 443),
    minVersion: 'TLSv1.2',
    ALPNProtocols: ['h2'],
    // an address is no server name [RFC 6066 §3]
    ...(isIP(host) === 0 ? { servername: host } : {}),
    ...(ca === undefined ? {} : { ca: [...ca] }),
    ...(certificate === null
      ? {}
      : { cert: certificate.certificatePem, key: certificate.privateKeyPem }),
  })
}
