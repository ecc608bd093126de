import { once } from 'node:events'
import { type ClientRequest, type IncomingMessage, request } from 'node:http'
import { Readable } from 'node:stream'
import { text } from 'node:stream/consumers'
import { pipeline } from 'node:stream/promises'
import { BenchError } from '../common/errors.ts'
import { APP, ndjsonBlocks, PER_CALL } from './calls.ts'
import { formatRequest, type HttpAnswer, HttpConnection } from './http-connection.ts'

const PATH = `/v1/apps/${APP}/notifications`
const NDJSON = 'application/x-ndjson'
/** What a server says that has no such call, or takes no such body there. */
const UNKNOWN: readonly number[] = [404, 405, 415]
const MOST_SAID = 200

/** What the daemon answers when it has taken a body. */
interface Taken {
  readonly queued: number
  readonly refused: readonly unknown[]
}

/**
 * Streams notifications as one body, a line each.
 * @param requests a multiple of {@link PER_CALL}
 * @throws {BenchError} the daemon does not know the call, or has not taken each line
 */
export async function streamNdjson(url: string, requests: number): Promise<void> {
  const call = request(url + PATH, { method: 'POST', headers: { 'content-type': NDJSON } })
  try {
    const [answer] = await Promise.all([
      readAnswer(call),
      pipeline(Readable.from(takeBlocks(requests)), call),
    ])
    checkAnswer(answer, requests)
  } catch (error) {
    if (error instanceof BenchError) throw error
    const why = error instanceof Error ? error.message : 'unknown'
    throw new BenchError(`the call broke off: ${why}`, { cause: error })
  }
}

/**
 * Asks with an empty body whether there is such a call, since a refusal in the midst of a stream may be lost.
 * @throws {BenchError} there is none
 */
export async function probeNdjson(url: string): Promise<void> {
  const connection = await HttpConnection.open(url)
  try {
    const { status } = await connection.exchange(formatRequest('POST', PATH, NDJSON, ''))
    if (UNKNOWN.includes(status))
      throw new BenchError(`the daemon does not know this call: POST ${PATH} with ${NDJSON}`)
  } finally {
    connection.close()
  }
}

function* takeBlocks(requests: number): Generator<Buffer> {
  const blocks = ndjsonBlocks()
  for (let sent = 0; sent < requests; sent += PER_CALL) {
    const block = blocks[(sent / PER_CALL) % blocks.length]
    if (block !== undefined) yield block
  }
}

async function readAnswer(call: ClientRequest): Promise<HttpAnswer> {
  const [response] = (await once(call, 'response')) as [IncomingMessage]
  return { status: response.statusCode ?? 0, body: await text(response) }
}

function checkAnswer({ status, body }: HttpAnswer, requests: number): void {
  if (status !== 202) throw new BenchError(`refused: ${status} ${body.slice(0, MOST_SAID)}`)
  const { queued, refused } = JSON.parse(body) as Taken
  if (queued !== requests || refused.length > 0)
    throw new BenchError(`${queued} of ${requests} were queued, ${refused.length} refused`)
}
