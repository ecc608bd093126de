import { connect, createServer, type Server, type Socket } from 'node:net'
import { createServer as createTlsServer, type TlsOptions } from 'node:tls'

/** What a proxy of our own tells of a CONNECT. */
export type RequestListener = (head: string) => void

/** Passes on what comes, both ways, until one end closes. */
function relay(near: Socket, port: number): void {
  const far = connect(port, '127.0.0.1').on('error', () => undefined)
  near.on('error', () => undefined)
  near.on('close', () => far.destroy())
  far.on('close', () => near.destroy())
  near.pipe(far).pipe(near)
}

/** Lets each CONNECT through to a port of this machine, wherever it wants to go. */
function serveConnect(near: Socket, port: number, onRequest: RequestListener): void {
  near.on('error', () => undefined)
  near.once('data', (head) => {
    onRequest(String(head))
    near.write('HTTP/1.1 200 Connection established\r\nVia: 1.1 test\r\n\r\n')
    relay(near, port)
  })
}

export const createHttpProxy = (
  port: number,
  onRequest: RequestListener = () => undefined,
): Server => createServer((near) => serveConnect(near, port, onRequest))

export const createHttpsProxy = (
  port: number,
  options: TlsOptions,
  onRequest: RequestListener = () => undefined,
): Server =>
  createTlsServer(options, (near) => serveConnect(near, port, onRequest)).on(
    'tlsClientError',
    () => undefined,
  )

/** A SOCKS5 proxy that takes everybody. */
export const createSocksProxy = (port: number): Server =>
  createServer((near) => {
    near.on('error', () => undefined)
    near.once('data', () => {
      near.write(Uint8Array.of(5, 0))
      near.once('data', () => {
        near.write(Uint8Array.of(5, 0, 0, 1, 0, 0, 0, 0, 0, 0))
        relay(near, port)
      })
    })
  })
