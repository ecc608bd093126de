/**
 * Every request that pyapns' own clients sent in the transcripts, written as it was to a real socket, and the answer
 * compared with the recorded one. Where ours is meant to differ, `IMPROVED` says how: see transcripts/README.md.
 */
import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { test } from 'node:test'
import { parseResponse, XmlRpcFault } from '../../packages/apnsd/src/doors/xmlrpc/parse-response.ts'
import type { RecordedCall } from '../../packages/apnsd/src/doors/xmlrpc/testing/fake-provider.ts'
import { startDoor } from '../../packages/apnsd/src/doors/xmlrpc/testing/start-door.ts'

const FOLDER = new URL('./transcripts/', import.meta.url)
const FEEDBACK = [
  { deviceToken: 'a'.repeat(64), timestampMs: Date.UTC(2010, 8, 20) },
  { deviceToken: 'b'.repeat(64), timestampMs: Date.UTC(2010, 8, 20, 1) },
]

/** What the provider must have been asked, in JSON so that structs compare as plain objects. */
const notify = (appId: string, ...pairs: [deviceToken: string, payload: unknown][]) => ({
  use: 'notify',
  appId,
  requests: pairs.map(([deviceToken, payload]) => ({ deviceToken, payload })),
})
const provision = (appId: string, path: string, environment: string) => ({
  use: 'provision',
  request: { appId, credential: { type: 'certificate', path }, environment, connectTimeoutS: 15 },
})
const takeFeedback = (appId: string) => ({ use: 'takeFeedback', appId })
const alert = (text: string) => ({ aps: { alert: text } })
const badge = (count: number) => ({ aps: { badge: count } })
const A1 = 'a1'.repeat(32)
const B2 = 'b2'.repeat(32)
const AB = 'ab'.repeat(32)

const ASKED: Record<string, unknown> = {
  'py-feedback': takeFeedback('myapp'),
  'py-feedback-unknown-app': takeFeedback('nope'),
  'py-notify-bad-token': notify('myapp', ['zz', badge(1)]),
  'py-notify-batch': notify('myapp', ['a1 '.repeat(32), badge(1)], [B2, badge(2)]),
  'py-notify-list-and-dict': notify('myapp', [A1, badge(1)], [B2, badge(1)]),
  'py-notify-one': notify('myapp', [
    'AB'.repeat(32),
    {
      aps: { alert: 'Grüße 👋 & <b>', badge: 0, sound: 'flynn.caf' },
      k: [1, 2.5, true, null],
    },
  ]),
  'py-notify-uneven-lists': undefined,
  'py-notify-unknown-app': notify('myapp', ['AB'.repeat(32), alert('hi')]),
  'py-provision': provision('myapp', '/etc/apns/app.pem', 'sandbox'),
  'py-provision-bad-environment': provision('bad', '/etc/apns/app.pem', 'staging'),
  'rb-feedback': takeFeedback('rubyapp'),
  'rb-notify-one-pair': notify('rubyapp', [AB, { aps: { alert: 'hello?', badge: 9 } }]),
  'rb-notify-one-token-wrapped-notification': notify('rubyapp', [
    AB,
    { aps: { alert: 'hello? ü', badge: 9 } },
  ]),
  'rb-notify-unknown-app': notify('rubyapp', [AB, alert('hi')]),
  'rb-provision': provision('rubyapp', '/etc/apns/app.pem', 'sandbox'),
  'rb-provision-bad-environment': provision('bad', 'x', 'staging'),
}

/** Where we answer otherwise than pyapns, on purpose. */
const IMPROVED: Record<string, unknown> = {
  'py-notify-uneven-lists': { faultCode: 400 },
  'py-notify-list-and-dict': null,
  'py-notify-bad-token': { faultCode: 400 },
  'rb-notify-one-token-wrapped-notification': null,
}

/** A result, or of a fault its code and, where the original had one worth keeping, its text. */
function summarise(body: string): unknown {
  try {
    return parseResponse(body)
  } catch (thrown) {
    assert.ok(thrown instanceof XmlRpcFault, String(thrown))
    const { faultCode, faultString } = thrown
    return faultCode === 401 || faultCode === 404 ? { faultCode, faultString } : { faultCode }
  }
}

function readRecorded(name: string): string {
  const response = readFileSync(new URL(`${name}.response`, FOLDER), 'utf8')
  return response.slice(response.indexOf('\r\n\r\n') + 4)
}

const names = readdirSync(FOLDER)
  .filter((file) => file.endsWith('.request'))
  .map((file) => file.slice(0, -'.request'.length))

test('each transcript has an expectation', () => {
  assert.deepEqual(names.toSorted(), Object.keys(ASKED).toSorted())
})

for (const name of names) {
  test(`${name} asks and answers as it should`, async (t) => {
    const door = await startDoor(t)
    if (!name.includes('unknown-app'))
      for (const app of ['myapp', 'rubyapp']) door.provider.apps.add(app)
    door.provider.feedback = FEEDBACK
    const client = await door.connect()
    const request = readFileSync(new URL(`${name}.request`, FOLDER))
    await client.write(request)
    const response = await client.readResponse()
    assert.equal(response.status, 200)
    assert.equal(response.headers.get('content-type'), 'text/xml; charset=utf-8')
    const expected = name in IMPROVED ? IMPROVED[name] : summarise(readRecorded(name))
    assert.deepEqual(summarise(response.body), expected)
    assert.deepEqual(
      toJson(door.provider.calls),
      toJson([ASKED[name]].filter(Boolean) as RecordedCall[]),
    )
  })
}

function toJson(calls: readonly unknown[]): unknown {
  return JSON.parse(JSON.stringify(calls))
}
