import http2 from 'node:http2'
import { isIP } from 'node:net'
import { connect as connectTls, type TLSSocket } from 'node:tls'
import type { RequestFields } from './request.ts'
import type { RawAnswer } from './response.ts'

/** What can come of one request on a session: exactly one of these, once. */
export type StreamEnd =
  | { readonly type: 'answer'; readonly answer: RawAnswer }
  | { readonly type: 'notProcessed'; readonly cause: string }
  | { readonly type: 'inDoubt'; readonly cause: string }

/** What a session tells whoever opened it. `closed` comes once, after the last stream ended. */
export interface SessionEvents {
  /** The peer's SETTINGS: the first, and each change. */
  settings(maxConcurrentStreams: number): void
  /** The peer will process no stream above `lastStreamId`. */
  goaway(errorCode: number, lastStreamId: number, debugData: string): void
  closed(cause: Error | null): void
}

/** One HTTP/2 session as a client: TLS socket, frames and streams, but no policy. */
export interface Session {
  /** @returns a function that gives the stream up: the peer is told, and `onEnd` comes all the same */
  request(
    fields: RequestFields,
    body: string | Uint8Array,
    onEnd: (end: StreamEnd) => void,
  ): () => void
  /** Calls back when the peer has answered a PING; never when it does not. */
  ping(onPong: () => void): void
  /** Starts no new stream, ends when the last one has. */
  close(): void
  /** Ends at once; streams without an answer are in doubt. */
  destroy(cause: Error): void
}

export interface SessionOptions {
  readonly url: URL
  /** Certificate authorities to trust, PEM; absent: Node's own. */
  readonly ca: readonly string[] | undefined
  readonly client: { readonly certificatePem: string; readonly privateKeyPem: string } | null
}

/** An answer's body is a short JSON object; more than this is not Apple, and is cut off. */
const MAX_BODY_BYTES = 16 * 1024

/** Starts to open a session over TLS 1.2 or newer with ALPN `h2`; what becomes of it comes as events. */
export function openNodeHttp2Session(options: SessionOptions, events: SessionEvents): Session {
  return new NodeHttp2Session(options, events)
}

class NodeHttp2Session implements Session {
  readonly #socket: TLSSocket
  readonly #session: http2.ClientHttp2Session
  #goawayLastStreamId: number | null = null
  #cause: Error | null = null

  constructor(options: SessionOptions, events: SessionEvents) {
    const { hostname } = options.url
    const host = hostname.replace(/^\[(.*)\]$/, '$1')
    this.#socket = connectTls({
      host,
      port: Number(options.url.port || 443),
      ...(isIP(host) === 0 ? { servername: host } : {}),
      minVersion: 'TLSv1.2',
      ALPNProtocols: ['h2'],
      ...(options.ca === undefined ? {} : { ca: [...options.ca] }),
      ...(options.client === null
        ? {}
        : { cert: options.client.certificatePem, key: options.client.privateKeyPem }),
    })
    this.#session = http2.connect(options.url, {
      settings: { enablePush: false },
      createConnection: () => this.#socket,
    })
    // a session lives on, mute, when its socket fails after the handshake; in TLS 1.3 that is when the server refuses a
    // client's certificate
    this.#socket.on('error', (error) => this.destroy(error))
    this.#session.on('remoteSettings', (settings) => {
      events.settings(settings.maxConcurrentStreams ?? Number.POSITIVE_INFINITY)
    })
    this.#session.on('goaway', (errorCode, lastStreamId, data) => {
      // a second GOAWAY may only lower the number [RFC 9113 §6.8]
      this.#goawayLastStreamId = Math.min(lastStreamId, this.#goawayLastStreamId ?? lastStreamId)
      events.goaway(errorCode, lastStreamId, Buffer.from(data ?? []).toString('utf8'))
    })
    this.#session.on('error', (error) => {
      this.#cause ??= error
    })
    this.#session.on('close', () => events.closed(this.#cause))
  }

  request(
    fields: RequestFields,
    body: string | Uint8Array,
    onEnd: (end: StreamEnd) => void,
  ): () => void {
    let stream: http2.ClientHttp2Stream
    try {
      stream = this.#session.request({ ...fields, [http2.sensitiveHeaders]: ['apns-id'] })
    } catch (error) {
      onEnd({ type: 'notProcessed', cause: `the session takes no new stream: ${String(error)}` })
      return () => undefined
    }
    let answer: http2.IncomingHttpHeaders | null = null
    let status = 0
    let text = ''
    stream.setEncoding('utf8')
    stream.on('response', (headers) => {
      answer = headers
      status = headers[':status'] ?? 0
    })
    stream.on('data', (chunk: string) => {
      if (text.length < MAX_BODY_BYTES) text += chunk
    })
    let failure: Error | null = null
    stream.on('error', (error) => {
      failure = error
    })
    stream.on('close', () => {
      onEnd(
        answer !== null && stream.readableEnded
          ? { type: 'answer', answer: { status, fields: flatten(answer), body: text } }
          : this.#endWithoutAnswer(stream, failure),
      )
    })
    stream.end(body)
    return () => stream.close(http2.constants.NGHTTP2_CANCEL)
  }

  #endWithoutAnswer(stream: http2.ClientHttp2Stream, failure: Error | null): StreamEnd {
    const cause = failure?.message ?? this.#cause?.message ?? 'the stream ended without an answer'
    if (stream.id === undefined) return { type: 'notProcessed', cause: 'it was never sent' }
    if (stream.rstCode === http2.constants.NGHTTP2_REFUSED_STREAM)
      return { type: 'notProcessed', cause: 'REFUSED_STREAM' }
    if (this.#goawayLastStreamId !== null && stream.id > this.#goawayLastStreamId)
      return { type: 'notProcessed', cause: 'GOAWAY before it' }
    return { type: 'inDoubt', cause }
  }

  ping(onPong: () => void): void {
    try {
      this.#session.ping((error) => {
        if (error === null) onPong()
      })
    } catch {
      // the session is being destroyed: `closed` is on its way, and a PING that gets no answer is what this is
    }
  }

  close(): void {
    this.#session.close()
  }

  destroy(cause: Error): void {
    this.#cause ??= cause
    this.#session.destroy()
    this.#socket.destroy()
  }
}

function flatten(headers: http2.IncomingHttpHeaders): Record<string, string | undefined> {
  const fields: Record<string, string | undefined> = {}
  for (const [name, value] of Object.entries(headers))
    fields[name] = Array.isArray(value) ? value.join(', ') : value
  return fields
}
