import assert from 'node:assert/strict'
import { once } from 'node:events'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import { type TestContext, test } from 'node:test'
import { BenchError } from '../common/errors.ts'
import { AnswerReader, formatRequest, HttpConnection } from './http-connection.ts'

const REQUEST = formatRequest('POST', '/', 'text/plain', 'naïve')
const ANSWER = 'HTTP/1.1 200 OK\r\ncontent-type: text/xml\r\nContent-Length: 6\r\n\r\nnaïve'

/** A connection to a server that does with each request what `answer` says. */
async function connected(
  t: TestContext,
  answer: (socket: Socket) => void,
): Promise<HttpConnection> {
  const server = createServer((socket) => {
    socket.on('data', () => answer(socket))
    socket.on('error', () => undefined)
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const { port } = server.address() as AddressInfo
  const connection = await HttpConnection.open(`http://127.0.0.1:${port}`)
  t.after(() => {
    connection.close()
    server.close()
  })
  return connection
}

test('a request says its length in bytes', () => {
  assert.match(REQUEST.toString(), /^POST \/ HTTP\/1.1\r\n.*\r\nContent-Length: 6\r\n\r\nnaïve$/s)
})

test('requests are answered in turn over one connection', async (t) => {
  let requests = 0
  const connection = await connected(t, (socket) => {
    requests += 1
    socket.write(ANSWER.replace('200', String(200 + requests)))
  })
  assert.deepEqual(await connection.exchange(REQUEST), { status: 201, body: 'naïve' })
  const second = connection.exchange(REQUEST)
  assert.equal(connection.isIdle, false)
  assert.deepEqual(await second, { status: 202, body: 'naïve' })
  assert.equal(connection.isIdle, true)
})

test('an answer is whole, wherever it is cut', () => {
  const bytes = Buffer.from(ANSWER)
  for (let cut = 1; cut < bytes.length; cut += 1) {
    const reader = new AnswerReader()
    assert.equal(reader.read(bytes.subarray(0, cut)), null)
    assert.deepEqual(reader.read(bytes.subarray(cut)), { status: 200, body: 'naïve' }, `at ${cut}`)
    assert.deepEqual(reader.read(bytes), { status: 200, body: 'naïve' })
  }
})

test('an answer that does not say its length is a failure', async (t) => {
  const connection = await connected(t, (socket) => socket.write('HTTP/1.1 200 OK\r\n\r\n'))
  await assert.rejects(connection.exchange(REQUEST), BenchError)
})

test('a connection that ends before the answer is a failure', async (t) => {
  const connection = await connected(t, (socket) => socket.end(ANSWER.slice(0, 30)))
  await assert.rejects(connection.exchange(REQUEST), BenchError)
  assert.equal(connection.isIdle, false)
})
