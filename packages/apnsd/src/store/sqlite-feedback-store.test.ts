import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, it } from 'node:test'
import { Database } from '../base/database.ts'
import { ApnsdError } from '../base/errors.ts'
import type { Chunk } from '../core/notifications/chunk.ts'
import type { OutcomeDetail } from '../core/outcome.ts'
import { FeedbackRetention } from './feedback-retention.ts'
import { STORE_MIGRATIONS } from './migrations.ts'
import { SqliteFeedbackStore } from './sqlite-feedback-store.ts'

let folder = ''
let database: Database
let store: SqliteFeedbackStore
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'apnsd-store-'))
  database = Database.open(join(folder, 'apnsd.db'), STORE_MIGRATIONS)
  store = new SqliteFeedbackStore(database)
})
afterEach(() => {
  database.close()
  rmSync(folder, { recursive: true })
})

const GONE: OutcomeDetail = { status: 410, reason: 'Unregistered', timestampMs: 7 }
const BAD: OutcomeDetail = { status: 400, reason: 'BadDeviceToken' }

/** Records an outcome for each device token, in order. */
function record(atMs: number, outcomes: Readonly<Record<string, OutcomeDetail>>, appId = 'app') {
  const chunk: Chunk = {
    appId,
    batchId: 'ab'.repeat(12),
    firstIndex: 0,
    deviceTokens: Object.keys(outcomes),
    payloads: [],
    payloadOf: new Uint16Array(Object.keys(outcomes).length),
    options: { lane: 'small', sendAtMs: 0, expiresAtMs: null, ratePerS: null },
  }
  store.record(chunk, new Map(Object.values(outcomes).entries()), atMs)
}

const tokensOf = (entries: readonly { deviceToken: string }[]) =>
  entries.map(({ deviceToken }) => deviceToken)

describe('take', () => {
  it('hands out each dead device token once, oldest first, with Apple’s timestamp or ours', async () => {
    record(99, { cc: GONE, aa: { status: 410, reason: 'ExpiredToken' } })
    assert.deepEqual(await store.take('other', 100), [])
    assert.deepEqual(await store.take('app', 100), [
      { deviceToken: 'cc', timestampMs: 7 },
      { deviceToken: 'aa', timestampMs: 99 },
    ])
    assert.deepEqual(await store.take('app', 100), [])
  })

  it('has no suspects', async () => {
    record(99, { aa: BAD, bb: { reason: 'lost' } })
    assert.deepEqual(await store.take('app', 100), [])
  })

  it('hands one out again when Apple says it again', async () => {
    record(99, { aa: GONE })
    record(99, { aa: GONE })
    assert.equal((await store.take('app', 100)).length, 1)
    record(99, { aa: { ...GONE, timestampMs: 8 } })
    assert.deepEqual(await store.take('app', 100), [{ deviceToken: 'aa', timestampMs: 8 }])
  })
})

describe('since', () => {
  it('shows what was recorded at a time or later, handed out before or not, and hands out nothing', async () => {
    record(1000, { aa: GONE })
    record(2000, { bb: GONE, xx: BAD })
    record(2000, { dd: GONE }, 'other')
    assert.deepEqual(tokensOf(await store.take('app', 2500)), ['aa', 'bb'])
    record(3000, { cc: GONE })
    assert.deepEqual(tokensOf(await store.since('app', 0)), ['aa', 'bb', 'cc'])
    assert.deepEqual(tokensOf(await store.since('app', 2000)), ['bb', 'cc'])
    assert.deepEqual(await store.since('app', 3001), [])
    assert.deepEqual(tokensOf(await store.take('app', 4000)), ['cc'])
  })
})

describe('read', () => {
  it('reads from a position on, suspects marked as such, and takes nothing away', async () => {
    record(99, { aa: GONE, bb: BAD })
    const [first, second, ...rest] = await store.read('app', 0, 10)
    assert.deepEqual(rest, [])
    assert.ok(first !== undefined && second !== undefined)
    assert.deepEqual(first, {
      ...{ position: first.position, deviceToken: 'aa', status: 410, reason: 'Unregistered' },
      ...{ timestampMs: 7, recordedAtMs: 99, isSuspect: false },
    })
    assert.deepEqual(second, {
      ...{ position: second.position, deviceToken: 'bb', status: 400, reason: 'BadDeviceToken' },
      ...{ timestampMs: 99, recordedAtMs: 99, isSuspect: true },
    })
    assert.deepEqual(await store.read('app', first.position, 10), [second])
    assert.deepEqual(await store.read('app', 0, 1), [first])
    assert.deepEqual(await store.read('app', second.position, 10), [])
    assert.deepEqual(tokensOf(await store.take('app', 100)), ['aa'])
    assert.equal((await store.read('app', 0, 10)).length, 2)
  })

  it('shows the dead in place of the suspect, and never the suspect in place of the dead', async () => {
    record(1, { aa: BAD, bb: GONE })
    record(2, { aa: GONE, bb: BAD, cc: BAD })
    record(3, { cc: BAD })
    assert.deepEqual(
      (await store.read('app', 0, 10)).map(({ deviceToken, isSuspect, recordedAtMs }) => [
        ...[deviceToken, isSuspect, recordedAtMs],
      ]),
      [
        ['bb', false, 1],
        ['aa', false, 2],
        ['cc', true, 3],
      ],
    )
  })

  it('keeps positions over a restart, and refuses one that it has never given', async () => {
    record(1, { aa: GONE, bb: GONE })
    const [first] = await store.read('app', 0, 1)
    assert.ok(first !== undefined)
    database.close()
    database = Database.open(join(folder, 'apnsd.db'), STORE_MIGRATIONS)
    store = new SqliteFeedbackStore(database)
    assert.deepEqual(tokensOf(await store.read('app', first.position, 10)), ['bb'])
    await assert.rejects(
      store.read('app', first.position + 100, 10),
      (error: unknown) => error instanceof ApnsdError && error.code === 'invalid-argument',
    )
  })
})

describe('FeedbackRetention', () => {
  const DAY_MS = 86_400_000
  const told: unknown[] = []
  const pause = () => new Promise(setImmediate)
  const tell = (...said: unknown[]) => void told.push(said)
  const log = { debug: tell, info: tell, warn: tell, error: tell }
  beforeEach(() => void told.splice(0))

  it('forgets what is older than it keeps, in several transactions, and nothing else', async () => {
    const many = Object.fromEntries(Array.from({ length: 250 }, (_, i) => [`old${i}`, GONE]))
    database.transaction(() => record(1 * DAY_MS, many))
    record(3 * DAY_MS, { young: GONE, doubtful: BAD })
    const counts: number[] = []
    const feedback = {
      sweep: (beforeMs: number, limit: number) => {
        counts.push(store.sweep(beforeMs, limit))
        return counts.at(-1) ?? 0
      },
    }
    const clock = { now: () => 4 * DAY_MS, elapsed: () => 0 }
    await new FeedbackRetention({ feedback, clock, log, keepDays: 1, pause }).sweep()
    assert.deepEqual(counts, [100, 100, 50])
    assert.deepEqual(tokensOf(await store.read('app', 0, 10)), ['young', 'doubtful'])
  })

  it('knows positions that it has given, though all of them are forgotten', async () => {
    record(1, { aa: GONE })
    const [entry] = await store.read('app', 0, 1)
    assert.equal(store.sweep(2, 10), 1)
    assert.deepEqual(await store.read('app', entry?.position ?? 0, 10), [])
  })

  it('says so when the disk does not let it, and ends when it is stopped', async () => {
    const clock = { now: () => 0, elapsed: () => 0 }
    const broken = new FeedbackRetention({
      feedback: {
        sweep: () => {
          throw new ApnsdError('storage-failed', 'The disk did not take it.')
        },
      },
      ...{ clock, log, keepDays: 1, pause },
    })
    await broken.sweep()
    assert.match(JSON.stringify(told), /could not forget old feedback/)
    let sweeps = 0
    const endless = new FeedbackRetention({
      feedback: {
        sweep: (_beforeMs, limit) => {
          sweeps += 1
          endless.stop()
          return limit
        },
      },
      ...{ clock, log, keepDays: 1, pause },
    })
    await endless.sweep()
    assert.equal(sweeps, 1)
  })
})

describe('feedback of an older daemon', () => {
  it('is kept, counts as recorded at the change, and is handed out as before', async () => {
    const path = join(folder, 'older.db')
    const older = Database.open(path, STORE_MIGRATIONS.slice(0, 1))
    older
      .prepare(
        `INSERT INTO feedback (app_id, device_token, timestamp_ms, reason, taken_at_ms)
         VALUES ('app', 'aa', 5, 'Unregistered', 6), ('app', 'bb', 7, 'Unregistered', NULL)`,
      )
      .run()
    older.close()
    const newer = Database.open(path, STORE_MIGRATIONS)
    const again = new SqliteFeedbackStore(newer)
    assert.deepEqual(tokensOf(await again.since('app', 1_700_000_000_000)), ['aa', 'bb'])
    const [first] = await again.read('app', 0, 1)
    assert.deepEqual([first?.status, first?.isSuspect], [410, false])
    assert.deepEqual(tokensOf(await again.take('app', 8)), ['bb'])
    newer.close()
  })
})
