import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, it } from 'node:test'
import { ApnsClient, readSigningKey, type SendResult } from '@apnsd/apns'
import { Authority, Simulator } from '@apnsd/simulator'
import {
  type ForeignServer,
  type ServerParts,
  startNghttpd,
  startNginx,
  startPythonH2,
} from '../support/foreign-servers.ts'
import { missing } from '../support/system-parts.ts'

const GOOD = Array.from({ length: 1900 }, () => `00${randomBytes(31).toString('hex')}`)
const BAD = Array.from({ length: 100 }, () => `ff${randomBytes(31).toString('hex')}`)
const LARGE = JSON.stringify({ aps: { alert: 'x'.repeat(4070) } })

/** What a server says to a device token of `BAD`. */
interface Case {
  readonly start: (parts: ServerParts) => Promise<ForeignServer>
  readonly rejection: { readonly status: number; readonly reason: string }
}

const CASES: Record<'nghttpd' | 'nginx' | 'python3-h2', Case> = {
  nghttpd: {
    start: (parts) =>
      startNghttpd(
        parts,
        GOOD.map((deviceToken) => `3/device/${deviceToken}`),
      ),
    rejection: { status: 404, reason: '' },
  },
  nginx: { start: startNginx, rejection: { status: 410, reason: 'Unregistered' } },
  'python3-h2': { start: startPythonH2, rejection: { status: 400, reason: 'BadDeviceToken' } },
}

// what each shows, with versions, stands in docs/internals/interoperation.md
describe('the client speaks with servers that somebody else wrote', () => {
  let folder = ''
  let server: ForeignServer | undefined
  let client: ApnsClient | undefined
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'apnsd-test-'))
  })
  afterEach(async () => {
    await client?.close()
    await server?.stop()
    rmSync(folder, { recursive: true, force: true })
  })

  async function connect(start: Case['start']): Promise<ApnsClient> {
    const authority = Authority.create()
    server = await start({ folder, ...authority.issueServerCertificate('127.0.0.1') })
    const simulator = await Simulator.start({ control: null })
    const { key, keyId, teamId } = simulator.issueKey()
    await simulator.close()
    client = new ApnsClient({
      url: `https://127.0.0.1:${server.port}`,
      ca: [authority.certificatePem],
      credential: readSigningKey(key, keyId, teamId),
    })
    await client.connect()
    return client
  }

  function sendAll(
    to: ApnsClient,
    deviceTokens: readonly string[],
    payload: string,
  ): Promise<SendResult[]> {
    const results: SendResult[] = []
    let left = deviceTokens.length
    return new Promise((resolve, reject) => {
      to.submit({
        length: deviceTokens.length,
        take: (index) => ({
          deviceToken: deviceTokens[index] ?? '',
          topic: 'com.example.myapp',
          pushType: 'alert',
          priority: 10,
          apnsId: `123e4567-e89b-42d3-a456-${index.toString(16).padStart(12, '0')}`,
          payload,
        }),
        settled: (index, result) => {
          if (results[index] !== undefined) reject(new Error(`${index} was settled twice`))
          results[index] = result
          left -= 1
          if (left === 0) resolve(results)
        },
      })
    })
  }

  for (const [name, { start, rejection }] of Object.entries(CASES))
    it(`${name}: answers, rejections with their bodies, large payloads`, {
      skip: missing(name as keyof typeof CASES),
    }, async () => {
      const to = await connect(start)
      const results = await sendAll(to, [...GOOD, ...BAD], '{"aps":{"alert":"hi"}}')
      results.slice(0, GOOD.length).forEach((result) => assert.equal(result.type, 'accepted'))
      for (const result of results.slice(GOOD.length)) {
        assert.ok(result.type === 'rejected')
        assert.deepEqual({ status: result.status, reason: result.reason }, rejection)
      }
      for (const result of await sendAll(to, GOOD.slice(0, 200), LARGE))
        assert.equal(result.type, 'accepted')
    })
})
