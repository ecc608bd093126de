import { isIP } from 'node:net'
import { connect, rootCertificates, type TLSSocket } from 'node:tls'
import type { Proxy } from './proxy.ts'
import type { TlsContext } from './tls-context.ts'
export interface DialOptions {
  readonly url: URL
  readonly context: TlsContext
  readonly proxy?: Proxy | null
  readonly connectionsTo?: (a: string) => number
  readonly signal: AbortSignal
}
export function dial({
  url,
  context,
  signal,
}: DialOptions): Promise<{ socket: TLSSocket; address: string | null }> {
  const host = url.hostname.replace(/^\[(.*)\]$/, '$1')
  const { extraCa, certificate } = context.options
  const socket = connect({
    host,
    port: Number(url.port || 443),
    minVersion: 'TLSv1.2',
    ALPNProtocols: ['h2'],
    ...(isIP(host) === 0 ? { servername: host } : {}),
    ...(extraCa === undefined ? {} : { ca: [...rootCertificates, ...extraCa] }),
    ...(certificate === null || certificate === undefined
      ? {}
      : { cert: certificate.certificatePem, key: certificate.privateKeyPem }),
  })
  return new Promise((resolve, reject) => {
    signal.addEventListener(
      'abort',
      () => {
        socket.destroy()
        reject(signal.reason)
      },
      { once: true },
    )
    socket.once('error', reject)
    socket.once('secureConnect', () => {
      socket.off('error', reject)
      resolve({ socket, address: socket.remoteAddress ?? null })
    })
  })
}
