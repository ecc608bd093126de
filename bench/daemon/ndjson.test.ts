import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import { type TestContext, test } from 'node:test'
import { BenchError } from '../common/errors.ts'
import { PER_CALL, payloadOf } from './calls.ts'
import { probeNdjson, streamNdjson } from './ndjson.ts'

type Answer = (request: IncomingMessage, response: ServerResponse) => unknown

/** Stands in for the daemon. */
async function serve(t: TestContext, answer: Answer): Promise<string> {
  const server = createServer((request, response) => void answer(request, response))
  await once(server.listen(0, '127.0.0.1'), 'listening')
  t.after(() => server.close())
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

/** With a Content-Length, as the daemon answers. */
function refuse(response: ServerResponse, status: number): void {
  response.statusCode = status
  response.end('{}')
}

async function linesOf(request: IncomingMessage): Promise<unknown[]> {
  const lines = (await text(request)).split('\n')
  assert.equal(lines.pop(), '')
  return lines.map((line) => JSON.parse(line) as unknown)
}

test('each line is a notification, and all go in one body', async (t) => {
  const bodies: unknown[][] = []
  const url = await serve(t, async (request, response) => {
    assert.equal(`${request.method} ${request.url}`, 'POST /v1/apps/bench/notifications')
    assert.equal(request.headers['content-type'], 'application/x-ndjson')
    const lines = await linesOf(request)
    bodies.push(lines)
    response.writeHead(202).end(JSON.stringify({ queued: lines.length, refused: [] }))
  })
  await streamNdjson(url, 12 * PER_CALL)
  assert.equal(bodies.length, 1)
  assert.equal(bodies[0]?.length, 12 * PER_CALL)
  const [first] = bodies[0] as { token: string; payload: unknown }[]
  assert.match(first?.token ?? '', /^[0-9a-f]{64}$/)
  assert.deepEqual(first?.payload, payloadOf(0))
})

test('a daemon that has no such call is told from one that has it', async (t) => {
  const without = await serve(t, (_request, response) => refuse(response, 404))
  await assert.rejects(
    probeNdjson(without),
    (error) => error instanceof BenchError && /does not know this call: POST/.test(error.message),
  )
  const having = await serve(t, (_request, response) => refuse(response, 400))
  await probeNdjson(having)
})

test('a line that was not taken makes the run count for nothing', async (t) => {
  const url = await serve(t, async (request, response) => {
    const { length } = await linesOf(request)
    const refused = [{ index: 3, code: 'invalid-argument', detail: 'It is no device token.' }]
    response.writeHead(202).end(JSON.stringify({ queued: length - 1, refused }))
  })
  await assert.rejects(streamNdjson(url, PER_CALL), /999 of 1000 were queued, 1 refused/)
})

test('an answer in the midst of the body, and a connection that breaks off, are failures', async (t) => {
  const refusing = await serve(t, (_request, response) => response.writeHead(503).end('later'))
  await assert.rejects(streamNdjson(refusing, PER_CALL), /refused: 503 later/)
  const breaking = await serve(t, (request) => request.socket.destroy())
  await assert.rejects(streamNdjson(breaking, 20 * PER_CALL), BenchError)
})
