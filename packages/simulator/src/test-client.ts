import assert from 'node:assert/strict'
import { sign } from 'node:crypto'
import {
  type ClientHttp2Session,
  type ClientHttp2Stream,
  connect,
  type OutgoingHttpHeaders,
} from 'node:http2'
import type { TestContext } from 'node:test'
import type { IssuedKey } from './provider-tokens.ts'
import { Simulator } from './simulator.ts'
import type { SimulatorOptions } from './simulator-options.ts'

/** A device token that nobody else uses. */
export const DEVICE_TOKEN = '0f'.repeat(32)
export const TOPIC = 'com.example.app'

/** Holds what a push was answered. */
export interface Reply {
  status: number
  headers: Record<string, unknown>
  /** Null for an empty one. */
  body: unknown
}

/** Says what to push; what is left out makes a good push. */
export interface TestPush {
  deviceToken?: string
  /** Added to the usual ones; undefined takes one away. */
  headers?: OutgoingHttpHeaders
  payload?: string
}

/** Starts a simulator that is closed when the test ends. */
export async function startSimulator(
  t: TestContext,
  options: SimulatorOptions = {},
): Promise<Simulator> {
  const simulator = await Simulator.start({ control: null, ...options })
  t.after(() => simulator.close())
  return simulator
}

/** Signs a provider token; `claims` and `header` overwrite the good ones. */
export function signProviderToken(
  { key, keyId, teamId }: IssuedKey,
  claims: Record<string, unknown> = {},
  header: Record<string, unknown> = {},
): string {
  const signed = [
    { alg: 'ES256', kid: keyId, ...header },
    { iss: teamId, iat: Math.floor(Date.now() / 1000), ...claims },
  ]
    .map((part) => Buffer.from(JSON.stringify(part)).toString('base64url'))
    .join('.')
  const signature = sign('sha256', Buffer.from(signed), { key, dsaEncoding: 'ieee-p1363' })
  return `${signed}.${signature.toString('base64url')}`
}

/** Pushes over one connection of node:http2's client. */
export class TestClient {
  readonly session: ClientHttp2Session
  readonly #headers: OutgoingHttpHeaders

  private constructor(session: ClientHttp2Session, headers: OutgoingHttpHeaders) {
    this.session = session
    this.#headers = headers
  }

  /** Connects with a client certificate or a provider token, or neither; closed when the test ends. */
  static open(
    t: TestContext,
    simulator: Simulator,
    credentials: { pem?: string; providerToken?: string } = {},
  ): TestClient {
    const { pem, providerToken } = credentials
    const session = connect(simulator.url, {
      ca: simulator.authority.certificatePem,
      ...(pem === undefined ? {} : { cert: pem, key: pem }),
    })
    session.on('error', () => undefined)
    t.after(() => session.destroy())
    return new TestClient(session, {
      'apns-topic': TOPIC,
      'apns-push-type': 'alert',
      ...(providerToken === undefined ? {} : { authorization: `bearer ${providerToken}` }),
    })
  }

  /** Sends a push and gives its stream, for tests of what is no answer. */
  send({
    deviceToken = DEVICE_TOKEN,
    headers = {},
    payload = ALERT,
  }: TestPush = {}): ClientHttp2Stream {
    const stream = this.session.request({
      ':method': 'POST',
      ':path': `/3/device/${deviceToken}`,
      ...this.#headers,
      ...headers,
    })
    stream.on('error', () => undefined)
    stream.end(payload)
    return stream
  }

  /** Sends a push and waits for its answer; rejects when none comes. */
  push(push: TestPush = {}): Promise<Reply> {
    return replyOf(this.send(push))
  }
}

/** Waits for a stream's answer; rejects with the stream's error, or when it closes without one. */
export function replyOf(stream: ClientHttp2Stream): Promise<Reply> {
  const { promise, resolve, reject } = Promise.withResolvers<Reply>()
  const chunks: Buffer[] = []
  let headers: Record<string, unknown> | null = null
  stream.on('response', (fields) => {
    headers = fields
  })
  stream.on('data', (chunk: Buffer) => chunks.push(chunk))
  stream.on('error', reject)
  stream.on('close', () => {
    if (headers === null) {
      reject(new Error('no answer'))
      return
    }
    const text = Buffer.concat(chunks).toString('utf8')
    resolve({ status: Number(headers[':status']), headers, body: text ? JSON.parse(text) : null })
  })
  return promise
}

/** Waits until a client's connection is closed, with an error or without. */
export async function closed({ session }: TestClient): Promise<void> {
  if (session.destroyed) return
  const { promise, resolve } = Promise.withResolvers<void>()
  session.once('close', () => resolve())
  await promise
}

/** Asserts that a push was answered with a reason. */
export function assertReason(reply: Reply, status: number, reason: string): void {
  assert.deepEqual(
    [reply.status, (reply.body as { reason: unknown } | null)?.reason],
    [status, reason],
  )
}

const ALERT = '{"aps":{"alert":"hello"}}'
