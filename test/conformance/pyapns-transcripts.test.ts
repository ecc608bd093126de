/**
 * Every request that pyapns' own clients sent in the transcripts, as it was but for the path of the certificate, to
 * the real daemon, which delivers to a simulator of Apple. The answers are those of pyapns, and what reaches Apple is
 * what pyapns wrote to the gateway, save where `STORY` says how ours is better: see transcripts/README.md.
 */
import assert from 'node:assert/strict'
import { after, before, beforeEach, describe, it } from 'node:test'
import type { Notification } from '@apnsd/simulator'
import { parseResponse, XmlRpcFault } from '../../packages/apnsd/src/doors/xmlrpc/parse-response.ts'
import { RawClient } from '../../packages/apnsd/src/doors/xmlrpc/testing/raw-client.ts'
import { Stage, TOPIC } from '../support/stage.ts'
import {
  RECORDINGS,
  readAnswer,
  readGatewayFrames,
  readRequest,
  type SimpleFrame,
} from './recordings.ts'

const RECORDED_PATH = '/etc/apns/app.pem'
/** The daemon's, so far from UTC that a feedback time in local time shows. */
const TIME_ZONE = 'Asia/Kathmandu'

const A1 = 'a1'.repeat(32)
const B2 = 'b2'.repeat(32)
const AB = 'ab'.repeat(32)
const BADGE_1 = '{"aps":{"badge":1}}'
const FRAMES = readGatewayFrames()

/** The entries of the recorded feedback. */
const DEATHS = [
  { deviceToken: 'a'.repeat(64), timestampMs: Date.UTC(2010, 8, 20) },
  { deviceToken: 'b'.repeat(64), timestampMs: Date.UTC(2010, 8, 20, 1) },
]

interface Step {
  /** What reaches Apple; nothing when left out. */
  sends?: SimpleFrame[]
  /** Our answer where it is not pyapns': nil, or fault 400 with a text that says what is wrong. */
  answers?: null | RegExp
}

/** The recordings in the order they are replayed in: an app is unknown until it is provisioned. */
const STORY: Record<string, Step> = {
  'py-notify-unknown-app': {},
  'rb-notify-unknown-app': {},
  'py-feedback-unknown-app': {},
  'py-provision-bad-environment': {},
  'rb-provision-bad-environment': {},
  'py-provision': {},
  'rb-provision': {},
  'py-notify-one': { sends: FRAMES.slice(0, 1) },
  'py-notify-batch': { sends: FRAMES.slice(1, 3) },
  // pyapns dropped the second device token and answered nil
  'py-notify-uneven-lists': { answers: /device tokens 2, notifications 1/ },
  // pyapns: 8002
  'py-notify-list-and-dict': {
    sends: [
      { deviceToken: A1, payload: BADGE_1 },
      { deviceToken: B2, payload: BADGE_1 },
    ],
    answers: null,
  },
  // pyapns: 8002
  'py-notify-bad-token': { answers: /device token/i },
  // pyapns: 500, as it took the failure for one of the connection
  'rb-notify-one-token-wrapped-notification': {
    sends: [{ deviceToken: AB, payload: '{"aps":{"alert":"hello? ü","badge":9}}' }],
    answers: null,
  },
  'rb-notify-one-pair': { sends: FRAMES.slice(4, 5) },
  'py-feedback': {},
  'rb-feedback': {},
}

describe('pyapns’ own clients', () => {
  let stage: Stage
  let path = ''
  before(async () => {
    process.env['TZ'] = TIME_ZONE
    stage = await Stage.open()
    // for one environment alone, as certificates were then: provisioned for the other it would be refused
    const environments = ['sandbox' as const]
    path = stage.writePem(stage.simulator.issueCertificate({ topic: TOPIC, environments }).pem)
    for (const { deviceToken, timestampMs } of DEATHS)
      stage.simulator.killDevice(deviceToken, { timestampMs })
  })
  after(() => stage.close())
  beforeEach(() => stage.simulator.clearNotifications())

  it('are replayed with all that was recorded', () => {
    assert.deepEqual(Object.keys(STORY).toSorted(), RECORDINGS.toSorted())
    // the one frame that is not replayed is what pyapns left of the uneven lists
    assert.equal(FRAMES.length, 5)
    assert.deepEqual(FRAMES[3], { deviceToken: A1, payload: BADGE_1 })
  })

  for (const [name, { sends = [], answers }] of Object.entries(STORY)) {
    it(`${name} is answered${sends.length > 0 ? ' and sent' : ''}`, async () => {
      if (name.endsWith('-feedback'))
        await pushToTheDead(stage, name.startsWith('py') ? 'myapp' : 'rubyapp')
      const { closes, body } = readAnswer(name)
      const answer = await replay(stage, readRequest(name, { [RECORDED_PATH]: path }), closes)
      if (answers === undefined) assert.deepEqual(summarise(answer), summarise(body))
      else if (answers === null) assert.equal(parseResponse(answer), null)
      else assertFault400(answer, answers)
      if (sends.length > 0) assertSent(await stage.settled(sends.length), sends)
    })
  }

  it('py-notify-one with a text that is too long for Apple is fault 400', async () => {
    const request = readRequest('py-notify-one', { Grüße: 'ü'.repeat(2048) })
    assertFault400(await replay(stage, request), /4096/)
  })

  it('have sent nothing else', () => {
    const accepted = Object.values(STORY).reduce((sum, { sends = [] }) => sum + sends.length, 0)
    const rejected = 2 * DEATHS.length
    assert.deepEqual(stage.simulator.totals, { accepted, answers: accepted + rejected })
  })
})

/** Writes a request to a new connection, and gives the body of the answer. */
async function replay(stage: Stage, request: string, closes = false): Promise<string> {
  const client = await RawClient.connect(Number(new URL(stage.daemon.url).port))
  try {
    await client.write(request)
    const { status, headers, body } = await client.readResponse()
    assert.equal(status, 200)
    assert.equal(headers.get('content-type'), 'text/xml; charset=utf-8')
    if (closes) await client.closed
    return body
  } finally {
    client.close()
  }
}

/** A result, or of a fault its code and text. */
function summarise(body: string): unknown {
  try {
    return parseResponse(body)
  } catch (thrown) {
    assert.ok(thrown instanceof XmlRpcFault, String(thrown))
    return { faultCode: thrown.faultCode, faultString: thrown.faultString }
  }
}

function assertFault400(body: string, text: RegExp): void {
  assert.throws(() => parseResponse(body), {
    name: 'XmlRpcFault',
    faultCode: 400,
    faultString: text,
  })
}

/**
 * The payloads equal pyapns', byte for byte. The simulator keeps a payload parsed, and its length. Written out again
 * it is pyapns' text, so names, values and order are the same; these texts are the shortest that say so (no blank, no
 * escape, UTF-8, short numbers), so that another of the same length would have to be the same.
 */
function assertSent(taken: readonly Notification[], frames: readonly SimpleFrame[]): void {
  const sent = taken.map(({ deviceToken, payload, payloadBytes }) => {
    return { deviceToken, payload: JSON.stringify(payload), payloadBytes }
  })
  const expected = frames.map((frame) => {
    return { ...frame, payloadBytes: Buffer.byteLength(frame.payload) }
  })
  assert.deepEqual(sent.toSorted(byDeviceToken), expected.toSorted(byDeviceToken))
}

/** Streams to different devices may overtake each other. */
function byDeviceToken(a: SimpleFrame, b: SimpleFrame): number {
  return a.deviceToken < b.deviceToken ? -1 : 1
}

/** Lets Apple say of each dead device, one after the other, that it is dead. */
async function pushToTheDead(stage: Stage, appId: string): Promise<void> {
  for (const { deviceToken } of DEATHS) {
    const count = stage.simulator.totals.answers + 1
    await stage.call('notify', appId, deviceToken, { aps: {} })
    const answers = await stage.simulator.waitForAnswers(count)
    await stage.outcome(answers.at(-1)?.apnsId ?? '')
  }
}
