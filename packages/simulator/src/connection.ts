import {
  constants,
  performServerHandshake,
  type ServerHttp2Session,
  type ServerHttp2Stream,
  type ServerOptions,
  type Settings,
} from 'node:http2'
import type { TLSSocket } from 'node:tls'
import type { ConnectionCredentials, ProviderTokenBinding } from './authentication.ts'
import type { CertificateIdentity } from './client-certificate.ts'
import { WireGate } from './wire-gate.ts'

/** What api.push.apple.com announced in 2021, the number of streams aside (jchambers/pushy#878). */
const SETTINGS: Settings = {
  headerTableSize: 4096,
  initialWindowSize: 65_535,
  maxFrameSize: 16_384,
  maxHeaderListSize: 8000,
}
/** Megabytes. node's default of 10 refuses streams long before a thousand of them carry 5 KB each. */
const MAX_SESSION_MEMORY = 256
/** SETTINGS that a client may leave unacknowledged, for scripts that change the stream limit at every request. */
const MAX_OUTSTANDING_SETTINGS = 1000
/** Topics listed per connection; one app has about ten. */
const MAX_TOPICS = 100

/** Shows one connection, open or closed. */
export interface ConnectionView {
  /** Counted from 1. */
  id: number
  openedAtMs: number
  /** `none` until a good provider token came, and also behind a client certificate that is not accepted. */
  identity: 'certificate' | 'token' | 'none'
  /** What the certificate lists; with provider tokens, what was pushed to so far (the first 100). */
  topics: string[]
  /** Null on a connection with a client certificate, and before the first good provider token. */
  teamId: string | null
  keyId: string | null
  streamsAnswered: number
  openStreams: number
  /** SETTINGS_MAX_CONCURRENT_STREAMS announced last. */
  streamLimit: number
  /** After GOAWAY a connection is `draining` until the streams that still count are answered. */
  state: 'open' | 'draining' | 'closed'
  closed: boolean
  closedAtMs: number | null
}

/** Holds what a connection is opened with. */
export interface ConnectionOptions {
  id: number
  certificate: CertificateIdentity | null
  streamLimit: number
  now: () => number
  /** Called with each stream at its HEADERS frame. */
  onStream: (stream: ServerHttp2Stream, rawHeaders: string[]) => void
  onClose: () => void
}

/**
 * A connection's life:
 *
 *     open ──goAway──→ draining ──(streams that count: none left)──→ closed
 *       └───────(socket gone)───────────┴───────────────────────────────↑
 */
type State =
  | { name: 'open' }
  | { name: 'draining'; lastStreamId: number }
  | { name: 'closed'; atMs: number }

/** Is one client's connection: its HTTP/2 session, what it has shown of itself, and how it ends. */
export class Connection {
  readonly id: number
  readonly credentials: ConnectionCredentials
  readonly #openedAtMs: number
  readonly #options: ConnectionOptions
  readonly #gate: WireGate
  readonly #session: ServerHttp2Session
  readonly #openStreams = new Set<number>()
  readonly #topics = new Set<string>()
  #state: State = { name: 'open' }
  #streamLimit: number
  #streamsAnswered = 0

  constructor(socket: TLSSocket, options: ConnectionOptions) {
    this.id = options.id
    this.credentials = { certificate: options.certificate, binding: null }
    this.#options = options
    this.#openedAtMs = options.now()
    this.#streamLimit = options.streamLimit
    this.#gate = new WireGate(socket)
    this.#gate.on('error', ignore)
    this.#session = performServerHandshake(this.#gate, sessionOptions(options.streamLimit))
    this.#session.on('error', ignore)
    this.#session.on('close', () => this.#closed())
    this.#session.on('stream', (stream, _headers, _flags, rawHeaders) =>
      this.#opened(stream, rawHeaders),
    )
  }

  /** Tells whether a stream is to be answered: not once a GOAWAY has named an earlier one as the last. */
  counts(streamId: number): boolean {
    const state = this.#state
    if (state.name === 'draining') return streamId <= state.lastStreamId
    return state.name === 'open'
  }

  /** Goes by this provider token from now on, and at the first one allows so many streams. */
  adopt(binding: ProviderTokenBinding | null, streamLimit: number): void {
    const isFirst = this.credentials.binding === null && binding !== null
    this.credentials.binding = binding
    if (isFirst) this.setStreamLimit(streamLimit)
  }

  /** Announces how many streams may be open at once. nghttp2 holds the client to it. */
  setStreamLimit(limit: number): void {
    if (limit === this.#streamLimit || this.#session.destroyed) return
    this.#streamLimit = limit
    try {
      this.#session.settings({ maxConcurrentStreams: limit })
    } catch {
      // The client has acknowledged none of a thousand SETTINGS: RFC 9113 §6.5.3 calls for SETTINGS_TIMEOUT.
      this.destroy()
    }
  }

  /** Counts an answered stream, and the topic that was pushed to. */
  answered(topic: string | null): void {
    this.#streamsAnswered += 1
    if (topic !== null && this.#topics.size < MAX_TOPICS) this.#topics.add(topic)
  }

  /**
   * Sends GOAWAY and closes the connection when the streams up to `lastStreamId` are answered.
   * @param lastStreamId 0 for none; never above that of an earlier GOAWAY.
   */
  goAway(lastStreamId: number, errorCode: number, debugData: Buffer): void {
    const state = this.#state
    if (state.name === 'closed') return
    const last =
      state.name === 'draining' ? Math.min(state.lastStreamId, lastStreamId) : lastStreamId
    this.#state = { name: 'draining', lastStreamId: last }
    this.#gate.sendGoAway(last, errorCode, debugData)
    this.#finishIfDrained()
  }

  /** Destroys the socket, without a word. */
  destroy(): void {
    this.#gate.destroy()
  }

  /** Shows the connection as it is now. */
  view(): ConnectionView {
    const { certificate, binding } = this.credentials
    const state = this.#state
    return {
      id: this.id,
      openedAtMs: this.#openedAtMs,
      identity: certificate?.trusted === true ? 'certificate' : binding === null ? 'none' : 'token',
      topics: certificate === null ? [...this.#topics] : [...certificate.topics],
      teamId: binding?.teamId ?? null,
      keyId: binding?.keyId ?? null,
      streamsAnswered: this.#streamsAnswered,
      openStreams: this.#openStreams.size,
      streamLimit: this.#streamLimit,
      state: state.name,
      closed: state.name === 'closed',
      closedAtMs: state.name === 'closed' ? state.atMs : null,
    }
  }

  #opened(stream: ServerHttp2Stream, rawHeaders: string[]): void {
    const streamId = stream.id ?? 0
    this.#openStreams.add(streamId)
    // A client that resets a stream or dies is its own affair: 'close' follows.
    stream.on('error', ignore)
    stream.on('close', () => {
      this.#openStreams.delete(streamId)
      this.#finishIfDrained()
    })
    this.#options.onStream(stream, rawHeaders)
  }

  #finishIfDrained(): void {
    const state = this.#state
    if (state.name !== 'draining') return
    for (const streamId of this.#openStreams) {
      if (streamId <= state.lastStreamId) return
    }
    this.#gate.finish()
  }

  #closed(): void {
    this.#state = { name: 'closed', atMs: this.#options.now() }
    this.#gate.destroy()
    this.#options.onClose()
  }
}

/** @types/node does not know `maxOutstandingSettings`. */
function sessionOptions(streamLimit: number): ServerOptions & { maxOutstandingSettings: number } {
  return {
    settings: { ...SETTINGS, maxConcurrentStreams: streamLimit },
    maxSessionMemory: MAX_SESSION_MEMORY,
    maxOutstandingSettings: MAX_OUTSTANDING_SETTINGS,
  }
}

/** Error code of a stream that was not processed. */
export const REFUSED_STREAM = constants.NGHTTP2_REFUSED_STREAM

function ignore(): void {}
