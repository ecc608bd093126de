import type { OutgoingHttpHeaders, ServerHttp2Stream } from 'node:http2'
import { type Connection, REFUSED_STREAM } from './connection.ts'
import type { Devices } from './devices.ts'
import type { NotificationLog } from './notification-log.ts'
import { type Push, parsePayload } from './push-reader.ts'
import { type Answer, type Verdict, validate, type World } from './validation.ts'

/** Holds what answering needs of the simulator. */
export interface ExchangeWorld extends World {
  devices: Devices
  log: NotificationLog
  /** Streams that an authenticated connection may have open at once. */
  streamLimit: number
  now(): number
  /** Makes up an `apns-id` or `apns-unique-id`. */
  newId(): string
}

/** Is one request on its stream, up to its answer. */
export class Exchange {
  readonly connection: Connection
  readonly push: Push
  readonly #stream: ServerHttp2Stream
  readonly #world: ExchangeWorld

  constructor(connection: Connection, stream: ServerHttp2Stream, push: Push, world: ExchangeWorld) {
    this.connection = connection
    this.push = push
    this.#stream = stream
    this.#world = world
  }

  get streamId(): number {
    return this.#stream.id ?? 0
  }

  /** Whether it can still be answered: neither reset nor left behind by a GOAWAY. */
  get isOpen(): boolean {
    const { closed, destroyed } = this.#stream
    return !closed && !destroyed && this.connection.counts(this.streamId)
  }

  /** The topic that the request names, or its certificate's only one. */
  get topic(): string | null {
    const { certificate } = this.connection.credentials
    return this.push.headers['apns-topic'] ?? certificate?.defaultTopic ?? null
  }

  /** Answers as Apple would, and has the device get what is accepted. */
  answer(): void {
    if (!this.isOpen) return
    const nowMs = this.#world.now()
    const verdict = this.#validate(nowMs)
    this.connection.adopt(verdict.binding, this.#world.streamLimit)
    this.#send(verdict.answer, verdict, nowMs)
  }

  /** Answers with a rejection of somebody's choice. */
  reject(answer: Answer): void {
    if (!this.isOpen) return
    const nowMs = this.#world.now()
    const verdict = this.#validate(nowMs)
    // 403 is about who asks: a client told so has not shown a good provider token.
    if (answer.status !== 403) this.connection.adopt(verdict.binding, this.#world.streamLimit)
    this.#send(answer, verdict, nowMs)
  }

  /** Resets the stream as not processed. */
  refuse(): void {
    if (this.isOpen) this.#stream.close(REFUSED_STREAM)
  }

  /** Does something later, unless the stream is gone by then. */
  after(ms: number, act: () => void): void {
    if (!this.isOpen) return
    const timer = setTimeout(act, ms)
    this.#stream.once('close', () => clearTimeout(timer))
  }

  #validate(nowMs: number): Verdict {
    return validate(this.push, this.connection.credentials, this.#world, nowMs)
  }

  #send(answer: Answer, { topic }: Verdict, nowMs: number): void {
    const { push, connection } = this
    const apnsId = this.#apnsId(answer)
    const payload = parsePayload(push)
    const accepted = answer.status === 200
    if (accepted && topic !== null) this.#deliver(topic, apnsId, payload, nowMs)
    connection.answered(accepted ? topic : null)
    this.#world.log.record({
      receivedAtMs: nowMs,
      connection: connection.id,
      deviceToken: push.deviceToken,
      headers: push.headers,
      payload,
      payloadBytes: push.payloadBytes,
      status: answer.status,
      reason: answer.reason,
      apnsId,
    })
    this.#respond(answer, apnsId, nowMs)
  }

  #deliver(topic: string, apnsId: string, payload: unknown, nowMs: number): void {
    const { headers, deviceToken } = this.push
    const pushType = headers['apns-push-type']
    const collapseId = headers['apns-collapse-id']
    const receivedAtMs = nowMs
    const delivery = { deviceToken, topic, pushType, collapseId, apnsId, receivedAtMs, payload }
    this.#world.devices.deliver(delivery)
  }

  #respond(answer: Answer, apnsId: string, nowMs: number): void {
    const headers: OutgoingHttpHeaders = {
      ':status': answer.status,
      'apns-id': apnsId,
      // By the simulator's clock, so that a client can notice that its own is wrong.
      date: new Date(nowMs).toUTCString(),
    }
    if (this.#world.environment !== 'production') headers['apns-unique-id'] = this.#world.newId()
    if (answer.reason === null) {
      this.#stream.respond(headers, { endStream: true })
      return
    }
    headers['content-type'] = 'application/json'
    if (answer.retryAfterS !== null) headers['retry-after'] = String(answer.retryAfterS)
    this.#stream.respond(headers)
    this.#stream.end(body(answer))
  }

  #apnsId({ reason }: Answer): string {
    const apnsId = this.push.headers['apns-id']
    return apnsId === undefined || reason === 'BadMessageId' ? this.#world.newId() : apnsId
  }
}

function body({ reason, timestampMs }: Answer): string {
  return JSON.stringify(timestampMs === null ? { reason } : { reason, timestamp: timestampMs })
}
