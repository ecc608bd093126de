import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { ApnsdError } from '../../base/errors.ts'
import { formatCall } from './format-message.ts'
import { parseResponse, XmlRpcFault } from './parse-response.ts'
import { MAX_BODY_BYTES, MAX_DISCARDED_BYTES } from './request-body.ts'
import { MAX_MULTICALLS } from './system-methods.ts'
import type { RawResponse } from './testing/raw-client.ts'
import { type StartedDoor, startDoor } from './testing/start-door.ts'
import { DateTime, type XmlRpcValue } from './values.ts'

const LIST_METHODS = formatCall('system.listMethods', [])
const UNKNOWN_APP = 'The app_id specified has not been provisioned.'

/** A result, or a fault as `[code, text]`. */
function read(response: RawResponse): XmlRpcValue | { fault: [number, string] } {
  assert.equal(response.status, 200)
  assert.equal(response.headers.get('content-type'), 'text/xml; charset=utf-8')
  assert.equal(response.headers.get('content-length'), String(Buffer.byteLength(response.body)))
  assert.ok(response.body.startsWith('<?xml version="1.0"?>'))
  try {
    return parseResponse(response.body)
  } catch (thrown) {
    assert.ok(thrown instanceof XmlRpcFault)
    return { fault: [thrown.faultCode, thrown.faultString] }
  }
}

async function call(door: StartedDoor, method: string, ...params: XmlRpcValue[]) {
  const client = await door.connect()
  await client.post(formatCall(method, params), ['Content-Type: text/xml'])
  return read(await client.readResponse())
}

async function assertServes(door: StartedDoor): Promise<void> {
  assert.ok(Array.isArray(await call(door, 'system.listMethods')))
}

async function startWithApp(t: TestContext): Promise<StartedDoor> {
  const door = await startDoor(t)
  door.provider.apps.add('shop')
  return door
}

test('provision hands on a path or PEM text, the environment and the timeout', async (t) => {
  const door = await startDoor(t)
  const pem = 'Bag Attributes\n-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----\n'
  assert.equal(await call(door, 'provision', 'shop', '/etc/shop.pem', 'sandbox', 20), null)
  assert.equal(await call(door, 'provision', 'shop', pem, 'production'), null)
  assert.equal(await call(door, 'provision', 'shop', 'x', 'sandbox', 2.5), null)
  assert.deepEqual(
    door.provider.calls.map((made) => (made.use === 'provision' ? made.request : made)),
    [
      {
        appId: 'shop',
        credential: { type: 'certificate', path: '/etc/shop.pem' },
        environment: 'sandbox',
        connectTimeoutS: 20,
      },
      { appId: 'shop', credential: { type: 'certificate', pem }, environment: 'production' },
      {
        appId: 'shop',
        credential: { type: 'certificate', path: 'x' },
        environment: 'sandbox',
        connectTimeoutS: 2.5,
      },
    ],
  )
})

test('the three faults that clients look for have the text of the original, and no hint', async (t) => {
  const door = await startWithApp(t)
  assert.deepEqual(await call(door, 'notify', 'nope', 'aa', {}), { fault: [404, UNKNOWN_APP] })
  assert.deepEqual(await call(door, 'notify', 'nope', [], []), { fault: [404, UNKNOWN_APP] })
  assert.deepEqual(await call(door, 'feedback', 'nope'), { fault: [404, UNKNOWN_APP] })
  assert.deepEqual(await call(door, 'provision', 'a', 'b', 'staging', 15), {
    fault: [
      401,
      'Invalid environment provided `staging`. Valid environments are `sandbox` and `production`',
    ],
  })
  const unreachable = 'Connection to the APNS server could not be made.'
  door.provider.failure = new ApnsdError('apple-unreachable', unreachable, { hint: 'Not shown.' })
  assert.deepEqual(await call(door, 'notify', 'shop', 'aa', {}), { fault: [500, unreachable] })
})

test('other errors show their message and their hint', async (t) => {
  const door = await startWithApp(t)
  door.provider.failure = new ApnsdError('storage-failed', 'The disk is full.', {
    hint: 'Free some.',
  })
  assert.deepEqual(await call(door, 'notify', 'shop', 'aa', {}), {
    fault: [503, 'The disk is full. Free some.'],
  })
  assert.equal(door.logged.length, 0)
})

test('an error that is not ours shows nothing of itself, and is logged', async (t) => {
  const door = await startWithApp(t)
  door.provider.failure = new Error('SQLITE secret')
  const answer = await call(door, 'notify', 'shop', 'aa', {})
  assert.deepEqual(answer, {
    fault: [8002, 'The daemon failed at this call. Its log says more.'],
  })
  assert.deepEqual(door.logged, [door.provider.failure])
})

test('feedback answers times in UTC and device tokens', async (t) => {
  const door = await startWithApp(t)
  assert.deepEqual(await call(door, 'feedback', 'shop'), [])
  door.provider.feedback = [{ deviceToken: 'ab'.repeat(32), timestampMs: 1700000000999 }]
  assert.deepEqual(await call(door, 'feedback', 'shop'), [
    [new DateTime(1700000000), 'ab'.repeat(32)],
  ])
})

test('feedback since a time asks for what was recorded from then on, and hands out nothing', async (t) => {
  const door = await startWithApp(t)
  door.provider.feedback = [{ deviceToken: 'cd'.repeat(32), timestampMs: 1600000000000 }]
  const since = new DateTime(1700000000)
  assert.deepEqual(await call(door, 'feedback', 'shop', since), [
    [new DateTime(1600000000), 'cd'.repeat(32)],
  ])
  assert.deepEqual(door.provider.calls.at(-1), {
    ...{ use: 'feedbackSince', appId: 'shop', sinceMs: 1700000000000 },
  })
})

test('a wrong number or type of parameters is told with what the method takes', async (t) => {
  const door = await startWithApp(t)
  for (const [method, params, words] of [
    [
      'provision',
      ['a', 'b'],
      /The number of parameters is 2, but the method is provision\(app_id, /,
    ],
    ['provision', ['a', 'b', 'c', 1, 2], /The number of parameters is 5/],
    ['provision', ['a', 'b', 'c', '15'], /timeout is a string; it must be an int/],
    ['provision', ['a', null, 'c'], /certificate is nil; it must be a string/],
    ['notify', ['shop', 'aa'], /The number of parameters is 2, but the method is notify\(/],
    ['notify', [1, 'aa', {}], /app_id is an int; it must be a string/],
    ['feedback', [], /The number of parameters is 0/],
    ['feedback', ['shop', 1700000000], /since is an int; it must be a dateTime.iso8601, in UTC/],
    ['system.listMethods', [1], /The number of parameters is 1/],
  ] as [string, XmlRpcValue[], RegExp][]) {
    const answer = await call(door, method, ...params)
    assert.ok(answer !== null && typeof answer === 'object' && 'fault' in answer)
    const [code, text] = answer.fault as [number, string]
    assert.equal(code, 400)
    assert.match(text, words)
  }
  assert.deepEqual(door.provider.calls, [])
})

test('an unknown method is told, its name cut', async (t) => {
  const door = await startDoor(t)
  assert.deepEqual(await call(door, 'frob'), { fault: [8001, 'procedure frob not found'] })
  assert.deepEqual(await call(door, 'constructor'), {
    fault: [8001, 'procedure constructor not found'],
  })
  assert.deepEqual(await call(door, 'x'.repeat(1000)), {
    fault: [8001, `procedure ${'x'.repeat(99)}… not found`],
  })
})

test('clients can ask what there is', async (t) => {
  const door = await startDoor(t)
  const methods = await call(door, 'system.listMethods')
  assert.deepEqual(methods, [
    'provision',
    'notify',
    'feedback',
    'system.listMethods',
    'system.methodHelp',
    'system.methodSignature',
    'system.multicall',
  ])
  for (const method of methods) {
    assert.match((await call(door, 'system.methodHelp', method)) as string, /: .*\.$/)
    const signatures = (await call(door, 'system.methodSignature', method)) as string[][]
    assert.ok(signatures.length > 0)
  }
  assert.deepEqual(await call(door, 'system.methodSignature', 'feedback'), [
    ['array', 'string'],
    ['array', 'string', 'dateTime.iso8601'],
  ])
  assert.deepEqual(await call(door, 'system.methodHelp', 'x'), {
    fault: [8001, 'procedure x not found'],
  })
})

test('system.multicall runs calls in turn and answers each by itself', async (t) => {
  const door = await startWithApp(t)
  const answers = await call(door, 'system.multicall', [
    { methodName: 'notify', params: ['shop', 'aa', { aps: {} }] },
    { methodName: 'notify', params: ['nope', 'aa', {}] },
    { methodName: 'frob', params: [] },
    { methodName: 'system.multicall', params: [[]] },
    { methodName: 'notify', params: ['shop', 'aa', { when: new DateTime(0) }] },
    'x',
    { methodName: 'feedback', params: ['shop'] },
  ])
  assert.ok(Array.isArray(answers))
  const summary = answers.map((answer) =>
    Array.isArray(answer) ? answer : (answer as { faultCode: number }).faultCode,
  )
  assert.deepEqual(summary, [[null], 404, 8001, 400, 400, 400, [[]]])
  assert.deepEqual(
    door.provider.calls.map(({ use }) => use),
    ['notify', 'notify', 'takeFeedback'],
  )
})

test('system.multicall has a limit', async (t) => {
  const door = await startDoor(t)
  const one = { methodName: 'system.listMethods', params: [] }
  const calls = Array.from({ length: MAX_MULTICALLS }, () => one)
  const most = await call(door, 'system.multicall', calls)
  assert.ok(Array.isArray(most) && most.length === MAX_MULTICALLS)
  const more = await call(door, 'system.multicall', [...calls, one])
  assert.match(JSON.stringify(more), /400,"There are 1001 calls/)
})

test('both paths answer, whatever the Content-Type', async (t) => {
  const door = await startDoor(t)
  const client = await door.connect()
  for (const path of ['/', '/RPC2']) {
    for (const fields of [
      [],
      ['Content-Type: text/xml'],
      ['Content-Type: application/json'],
      ['Content-Type: text/plain'],
      ['Content-Type: application/x-www-form-urlencoded'],
      ['Content-Type: nonsense'],
      ['Content-Type:'],
      ['Content-Type: text/xml;;;'],
    ]) {
      await client.post(LIST_METHODS, fields, path)
      assert.ok(Array.isArray(read(await client.readResponse())), `${path} ${fields.join()}`)
    }
  }
})

test('documents in other encodings are read, and those in wrong ones refused', async (t) => {
  const door = await startWithApp(t)
  const client = await door.connect()
  const text = 'Grüße'
  const xml = (encoding: string) =>
    formatCall('notify', ['shop', 'aa', { text }]).replace(
      '"1.0"',
      encoding === '' ? '"1.0"' : `"1.0" encoding="${encoding}"`,
    )
  const sent: [string, Buffer][] = [
    ['text/xml', Buffer.from(xml('utf-8'))],
    ['text/xml', Buffer.from(xml('iso-8859-1'), 'latin1')],
    ['text/xml; charset=iso-8859-1', Buffer.from(xml(''), 'latin1')],
    ['text/xml', Buffer.from(`\ufeff${xml('utf-16')}`, 'utf16le')],
    ['text/xml', Buffer.from(`\ufeff${xml('utf-16')}`, 'utf16le').swap16()],
    ['text/xml; charset=utf-16be', Buffer.from(xml(''), 'utf16le').swap16()],
  ]
  for (const [contentType, bytes] of sent) {
    await client.post(bytes, [`Content-Type: ${contentType}`])
    assert.equal(read(await client.readResponse()), null)
    const made = door.provider.calls.at(-1)
    assert.ok(made?.use === 'notify')
    assert.equal(made.requests[0]?.payload['text'], text)
  }
  for (const contentType of [
    'text/xml; charset=us-ascii',
    'text/xml; charset=klingon',
    'text/xml; charset=utf-8',
  ]) {
    await client.post(Buffer.from(xml(''), 'latin1'), [`Content-Type: ${contentType}`])
    assert.match(JSON.stringify(read(await client.readResponse())), /8002,"Can't deserialize input/)
  }
})

function head(body: string): string {
  return `POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: ${body.length}\r\n\r\n`
}

test('two calls on one connection, one after the other and pipelined', async (t) => {
  const door = await startWithApp(t)
  const client = await door.connect()
  await client.post(LIST_METHODS)
  assert.ok(Array.isArray(read(await client.readResponse())))
  const feedback = formatCall('feedback', ['shop'])
  await client.write(
    head(feedback) + feedback + head('<x/>') + '<x/>' + head(LIST_METHODS) + LIST_METHODS,
  )
  assert.deepEqual(read(await client.readResponse()), [])
  assert.match(JSON.stringify(read(await client.readResponse())), /8002/)
  assert.equal((read(await client.readResponse()) as string[]).length, 7)
})

test('a chunked body is read, though a character is cut between two chunks', async (t) => {
  const door = await startWithApp(t)
  const client = await door.connect()
  await client.write('POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n')
  for (const byte of Buffer.from(formatCall('notify', ['shop', 'aa', { text: '👋' }]))) {
    await client.write(
      Buffer.concat([Buffer.from('1\r\n'), Buffer.from([byte]), Buffer.from('\r\n')]),
    )
  }
  await client.write('0\r\n\r\n')
  assert.equal(read(await client.readResponse()), null)
  const made = door.provider.calls[0]
  assert.ok(made?.use === 'notify')
  assert.equal(made.requests[0]?.payload['text'], '👋')
})

test('a client that asks to close gets its answer, then the end of the connection', async (t) => {
  const door = await startDoor(t)
  const client = await door.connect()
  await client.post(LIST_METHODS, ['Connection: close'])
  assert.ok(Array.isArray(read(await client.readResponse())))
  await client.closed
})

test('an empty body is answered with a fault', async (t) => {
  const door = await startDoor(t)
  const client = await door.connect()
  await client.post('')
  assert.match(JSON.stringify(read(await client.readResponse())), /8002.*root element/)
  await client.write('POST / HTTP/1.1\r\nHost: localhost\r\n\r\n')
  assert.match(JSON.stringify(read(await client.readResponse())), /8002.*root element/)
})

const BAD_STARTS: [name: string, start: string, why: RegExp][] = [
  ['a DOCTYPE', '<?xml version="1.0"?>\n<!DOCTYPE a [<!ENTITY b "', /DOCTYPE/],
  [
    'deep nesting',
    `<methodCall><methodName>m</methodName><params><param>${'<value><array><data>'.repeat(100)}`,
    /64 levels/,
  ],
  ['what is no XML', 'app_id=shop&', /outside of root/],
  ['bytes that are no UTF-8', '\u00ff\u00ff\u00ff\u00ff\u00ff\u00ff', /not UTF-8/],
]

for (const [name, start, why] of BAD_STARTS) {
  test(`${name}: the fault comes before the body has ended, and the connection stays usable`, async (t) => {
    const door = await startDoor(t)
    const client = await door.connect()
    const rest = 'x'.repeat(1_000_000)
    const length = start.length + rest.length
    await client.write(`POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: ${length}\r\n\r\n`)
    await client.write(Buffer.from(start, 'latin1'))
    assert.match(JSON.stringify(read(await client.readResponse())), why)
    await client.write(rest)
    await client.post(LIST_METHODS)
    assert.ok(Array.isArray(read(await client.readResponse())))
  })
}

test('a refused body of a client that closes is taken in, so that the answer is not lost', async (t) => {
  const door = await startDoor(t)
  const client = await door.connect()
  await client.post(`<!DOCTYPE a>${'x'.repeat(4_000_000)}`, ['Connection: close'])
  assert.match(JSON.stringify(read(await client.readResponse())), /DOCTYPE/)
  await client.closed
})

test('a body declared too large is refused before it comes', async (t) => {
  const door = await startDoor(t)
  const client = await door.connect()
  await client.write(
    `POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: ${MAX_BODY_BYTES + 1}\r\n\r\n`,
  )
  assert.match(
    JSON.stringify(read(await client.readResponse())),
    /8002.*larger than 33554432 bytes/,
  )
  await assertServes(door)
})

test('a body a little too large is refused, and its connection stays usable', async (t) => {
  const door = await startDoor(t)
  const client = await door.connect()
  await client.post(Buffer.alloc(MAX_BODY_BYTES + 1, ' '))
  assert.match(JSON.stringify(read(await client.readResponse())), /8002.*larger than/)
  await client.post(LIST_METHODS)
  assert.ok(Array.isArray(read(await client.readResponse())))
})

function chunk(bytes: Buffer): Buffer {
  return Buffer.concat([
    Buffer.from(`${bytes.length.toString(16)}\r\n`),
    bytes,
    Buffer.from('\r\n'),
  ])
}

test('a chunked body that goes on is refused at the limit, and in the end cut off', async (t) => {
  const door = await startDoor(t)
  const client = await door.connect()
  await client.write('POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n')
  const piece = Buffer.alloc(1024 * 1024, ' ')
  const open = formatCall('m', []).replace('</methodCall>\n', '')
  await client.write(chunk(Buffer.from(open)))
  for (let sent = 0; sent <= MAX_BODY_BYTES; sent += piece.length) await client.write(chunk(piece))
  assert.match(JSON.stringify(read(await client.readResponse())), /8002.*larger than/)
  for (let sent = 0; !client.isClosed && sent < 2 * MAX_DISCARDED_BYTES; sent += piece.length) {
    await client.write(chunk(piece))
  }
  await client.closed
  await assertServes(door)
})

test('a client that goes away in the middle of its body is forgotten', async (t) => {
  const door = await startDoor(t)
  for (const start of ['<methodCall>', '<!DOCTYPE a>']) {
    const client = await door.connect()
    await client.write(`POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\n${start}`)
    await assertServes(door)
    client.close()
    await client.closed
  }
  await assertServes(door)
  assert.deepEqual(door.logged, [])
  assert.deepEqual(door.provider.calls, [])
})

test('a compressed body is refused with a sentence', async (t) => {
  const door = await startDoor(t)
  const client = await door.connect()
  await client.post(LIST_METHODS, ['Content-Encoding: gzip'])
  assert.match(JSON.stringify(read(await client.readResponse())), /8002.*Content-Encoding/)
  await client.post(LIST_METHODS, ['Content-Encoding: identity'])
  assert.ok(Array.isArray(read(await client.readResponse())))
})

test('what a browser sends is refused before its body comes, with 403 and no fault', async (t) => {
  const door = await startDoor(t)
  const refused: [string, RegExp][] = [
    ['Host: localhost\r\nOrigin: http://evil.example', /Origin/],
    ['Host: localhost\r\nOrigin: null', /Origin/],
    ['Host: localhost\r\nOrigin: ', /Origin/],
    ['Host: evil.example:7077', /does not go by the name evil\.example/],
  ]
  for (const [fields, text] of refused) {
    const client = await door.connect()
    await client.write(`POST / HTTP/1.1\r\n${fields}\r\nContent-Length: 9\r\n\r\n`)
    const response = await client.readResponse()
    assert.equal(response.status, 403)
    assert.match(response.body, text)
    await client.closed
  }
  assert.deepEqual(door.provider.calls, [])
})

test('GET is told what to POST', async (t) => {
  const door = await startDoor(t)
  const client = await door.connect()
  for (const path of ['/', '/RPC2']) {
    await client.write(`GET ${path} HTTP/1.1\r\nHost: localhost\r\n\r\n`)
    const response = await client.readResponse()
    assert.equal(response.status, 405)
    assert.equal(response.headers.get('allow'), 'POST')
    assert.match(response.body, /POST a <methodCall>/)
  }
})

test('a refusal that will pass says when to try again, in the text and in Retry-After', async (t) => {
  const door = await startWithApp(t)
  door.provider.failure = new ApnsdError('storage-failed', 'The disk is full.', { retryAfterS: 10 })
  const client = await door.connect()
  await client.post(formatCall('notify', ['shop', 'aa', {}]))
  const response = await client.readResponse()
  assert.equal(response.headers.get('retry-after'), '10')
  assert.deepEqual(read(response), { fault: [503, 'The disk is full. Try again in 10 s.'] })
})
