import assert from 'node:assert/strict'
import { generateKeyPairSync, randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it, type TestContext } from 'node:test'
import { isDeepStrictEqual } from 'node:util'
import { ApnsClient, type ClientEvent, readSigningKey, type SendResult } from '@apnsd/apns'
import { Authority } from '@apnsd/simulator'
import {
  type ForeignServer,
  type ServerSettings,
  startForeignServer,
} from '../support/foreign-server.ts'
import { FOREIGN_SERVERS, type ForeignServerKind } from '../support/foreign-servers.ts'
import { missing } from '../support/system-parts.ts'

const GOOD = Array.from({ length: 1100 }, () => `00${randomBytes(31).toString('hex')}`)
const BAD = Array.from({ length: 100 }, () => `ff${randomBytes(31).toString('hex')}`)
const GOOD_PATHS = GOOD.map((deviceToken) => `3/device/${deviceToken}`)

const USUAL: ServerSettings = { streamLimit: 100, idleTimeoutS: 60, maxTlsVersion: 'TLSv1.3' }
const FEW_STREAMS = { streamLimit: 3, maxTlsVersion: 'TLSv1.2' } as const

/** When the payload is what a server answers, it tells which notification the answer is for. */
function shortPayload(index: number): string {
  return `{"aps":{"alert":"hi"},"reason":"Unregistered","timestamp":${1_700_000_000_000 + index}}`
}

const largePayload = (bytes: number): string =>
  JSON.stringify({ aps: { alert: 'x'.repeat(bytes - '{"aps":{"alert":""}}'.length) } })

const AUTHORITY = Authority.create()
const CERTIFICATE = AUTHORITY.issueServerCertificate('127.0.0.1')
const KEY = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey
const CREDENTIAL = readSigningKey(
  KEY.export({ type: 'pkcs8', format: 'pem' }).toString(),
  'ABCDE12345',
  'TEAM123456',
)

const apnsIdOf = (index: number): string =>
  `123e4567-e89b-42d3-a456-${index.toString(16).padStart(12, '0')}`

/** A server, a client of it, and what came of it so far. */
class Meeting {
  readonly server: ForeignServer
  readonly client: ApnsClient
  readonly events: ClientEvent[] = []
  /** The first words of the lines of the key log: CLIENT_RANDOM up to TLS 1.2, others from 1.3 on. */
  readonly keyLabels = new Set<string>()
  #changed = Promise.withResolvers<void>()

  private constructor(server: ForeignServer) {
    this.server = server
    this.client = new ApnsClient({
      url: `https://127.0.0.1:${server.port}`,
      ca: [AUTHORITY.certificatePem],
      credential: CREDENTIAL,
      maxConnections: 1,
      onEvent: (event) => {
        this.events.push(event)
        this.#changed.resolve()
        this.#changed = Promise.withResolvers()
      },
      onKeylog: (line) => this.keyLabels.add(line.toString().split(' ')[0] ?? ''),
    })
  }

  /** Ends with the test. */
  static async start(
    test: TestContext,
    kind: ForeignServerKind,
    settings: ServerSettings,
  ): Promise<Meeting> {
    const folder = mkdtempSync(join(tmpdir(), 'apnsd-test-'))
    let meeting: Meeting | undefined
    let server: ForeignServer | undefined
    test.after(async () => {
      await meeting?.client.close()
      await server?.stop()
      rmSync(folder, { recursive: true, force: true })
    })
    server = await startForeignServer((place) => kind.launch(place, GOOD_PATHS), {
      folder,
      settings,
      ...CERTIFICATE,
    })
    meeting = new Meeting(server)
    return meeting
  }

  countOf(type: ClientEvent['type']): number {
    return this.events.filter((event) => event.type === type).length
  }

  /** Resolves when it has happened `count` times. */
  async until(type: ClientEvent['type'], count: number): Promise<void> {
    while (this.countOf(type) < count) await this.#changed.promise
  }

  /** Sends a notification to each device token. Rejects when one is settled twice. */
  sendAll(
    deviceTokens: readonly string[],
    payloadOf: (index: number) => string,
  ): Promise<SendResult[]> {
    const results: SendResult[] = []
    let left = deviceTokens.length
    const { promise, resolve, reject } = Promise.withResolvers<SendResult[]>()
    this.client.submit({
      length: deviceTokens.length,
      take: (index) => ({
        deviceToken: deviceTokens[index] ?? '',
        topic: 'com.example.myapp',
        pushType: 'alert',
        priority: 10,
        apnsId: apnsIdOf(index),
        payload: payloadOf(index),
      }),
      settled: (index, result) => {
        if (results[index] !== undefined) reject(new Error(`${index} was settled twice`))
        results[index] = result
        left -= 1
        if (left === 0) resolve(results)
      },
    })
    return promise
  }
}

/** Says what came of the notification at `index`: `accepted` and `rejected` where it is what this one was to get. */
function describeResult(result: SendResult, index: number, kind: ForeignServerKind): string {
  if (result.type === 'accepted') {
    const expected = kind.echoesApnsId ? apnsIdOf(index) : null
    return result.uniqueId === expected ? 'accepted' : `accepted with ${result.uniqueId}`
  }
  if (result.type === 'rejected') {
    const { status, reason, timestampMs } = result
    const expected = {
      payload: [410, 'Unregistered', 1_700_000_000_000 + index],
      apnsId: [410, apnsIdOf(index), null],
      notFound: [404, '', null],
    }[kind.rejection]
    const actual = [status, reason, timestampMs]
    return isDeepStrictEqual(actual, expected) ? 'rejected' : `rejected, ${actual.join(' ')}`
  }
  return `${result.type}, ${result.cause}`
}

/** How many got which result. */
function countResults(
  results: readonly SendResult[],
  kind: ForeignServerKind,
): Record<string, number> {
  const counts: Record<string, number> = {}
  results.forEach((result, index) => {
    const what = describeResult(result, index, kind)
    counts[what] = (counts[what] ?? 0) + 1
  })
  return counts
}

/** Counts those that the server did not answer before it ended the connection; all others must be taken. */
function countInDoubt(results: readonly SendResult[], kind: ForeignServerKind): number {
  const inDoubt = results.filter(({ type }) => type === 'inDoubt').length
  const { accepted } = countResults(results, kind)
  assert.equal(accepted, results.length - inDoubt)
  return inDoubt
}

function assertTaken(results: readonly SendResult[], kind: ForeignServerKind): void {
  assert.deepEqual(countResults(results, kind), { accepted: results.length })
}

const SERVERS = Object.entries<ForeignServerKind>(FOREIGN_SERVERS).map(([name, kind]) => ({
  name,
  kind,
  skip: missing(name as keyof typeof FOREIGN_SERVERS),
}))

// what each shows, with versions, stands in docs/internals/interoperation.md
describe('the client speaks with servers that somebody else wrote', {
  concurrency: 2,
  timeout: 60_000,
}, () => {
  for (const { name, kind, skip } of SERVERS) {
    it(`${name}: each notification has its own answer, rejections with their bodies`, {
      skip,
    }, async (test) => {
      const meeting = await Meeting.start(test, kind, USUAL)
      const results = await meeting.sendAll([...GOOD, ...BAD], shortPayload)
      assertTaken(results.slice(0, GOOD.length), kind)
      assert.deepEqual(countResults(results, kind), {
        accepted: GOOD.length,
        rejected: BAD.length,
      })
      assert.ok(!meeting.keyLabels.has('CLIENT_RANDOM'), 'TLS 1.3')
    })

    it(`${name}: payloads of Apple’s size, as large as a window, and larger`, {
      skip,
    }, async (test) => {
      const meeting = await Meeting.start(test, kind, USUAL)
      const sizes = [...Array.from({ length: 200 }, () => 4096), 65_535, 65_536, 100_000, 300_000]
      const results = await meeting.sendAll(GOOD.slice(0, sizes.length), (index) =>
        largePayload(sizes[index] ?? 0),
      )
      assertTaken(results, kind)
    })

    const over = kind.limitsTls ? 'over TLS 1.2' : 'over TLS 1.3'
    it(`${name}: a few streams at a time, ${over}`, { skip }, async (test) => {
      const meeting = await Meeting.start(test, kind, { ...USUAL, ...FEW_STREAMS })
      assertTaken(await meeting.sendAll(GOOD.slice(0, 300), shortPayload), kind)
      assert.equal(meeting.keyLabels.has('CLIENT_RANDOM'), kind.limitsTls)
    })

    if (kind.reload === 'none') continue
    it(`${name}: is reloaded while notifications are on their way, and each is settled once`, {
      skip,
    }, async (test) => {
      const meeting = await Meeting.start(test, kind, USUAL)
      await meeting.client.connect()
      const reloaded = meeting.server.reload()
      let inDoubt = 0
      // it takes its time, and some end a connection one by one when they are done with what came on it
      while (meeting.countOf('connected') === 1)
        inDoubt += countInDoubt(await meeting.sendAll(GOOD, shortPayload), kind)
      await reloaded
      inDoubt += countInDoubt(await meeting.sendAll(GOOD, shortPayload), kind)
      const ended = meeting.countOf('disconnected')
      if (kind.reload === 'answersAll') assert.equal(inDoubt, 0)
      else assert.ok(inDoubt <= ended * USUAL.streamLimit, `${inDoubt} in doubt`)
    })
  }
})

// apart from the others: a connection that the machine has no time for would be idle as well
describe('the client’s connection is ended when nothing happens on it, and it makes another', {
  concurrency: true,
  timeout: 60_000,
}, () => {
  for (const { name, kind, skip } of SERVERS) {
    if (!kind.endsIdle) continue
    it(`by ${name}`, { skip }, async (test) => {
      const meeting = await Meeting.start(test, kind, { ...USUAL, idleTimeoutS: 1 })
      assertTaken(await meeting.sendAll(GOOD.slice(0, 1), shortPayload), kind)
      await meeting.until('disconnected', 1)
      assertTaken(await meeting.sendAll(GOOD.slice(0, 1), shortPayload), kind)
    })
  }
})
