/**
 * Cuts the power under load: the daemon is killed, and its disk loses what was not synced, all of it or a part. See
 * test/support/power-cut. POWER_CUT_ROUNDS (15 unless told) says how often; POWER_CUT_SEED repeats the sizes and the fates,
 * though not the moments.
 */

import assert from 'node:assert/strict'
import { once } from 'node:events'
import { after, before, describe, it } from 'node:test'
import { ALL_LOST, randomFate } from '../support/power-cut/fate.ts'
import { countSyncs, PowerCutStage } from '../support/power-cut/power-cut-stage.ts'
import { randomFrom } from '../support/random.ts'
import { missing } from '../support/system-parts.ts'

const rounds = Number(process.env['POWER_CUT_ROUNDS'] ?? 15)
const seed = Number(process.env['POWER_CUT_SEED'] ?? Math.floor(Math.random() * 2 ** 31))
const random = randomFrom(seed)
const upTo = (most: number): number => Math.floor(random() * (most + 1))

const CLIENTS = 4
/** Up to so many calls are answered before the daemon is ended. */
const MOST_CALLS = 25
const MOST_IN_A_CALL = 60
/** Several chunks. */
const LARGE_CALL = 2500
/** Up to so many bytes of text: enough that SQLite moves its log into the data file now and then. */
const MOST_TEXT_BYTES = 3500
/** Of a large call, the outcome of one in so many is asked for. */
const LARGE_CALL_SHARE = 10
/** What happens in a round besides the cut; the rounds take turns. */
const TURNS = ['nothing', 'large call', 'kill before', 'stop before', 'nothing'] as const
/** What has arrived is looked at again after so many more. */
const STEP = 500
/** When so many have not arrived in so long, no more will: the test fails and says what is lost. */
const SILENCE_MS = 30_000
/** So many questions at once about what became of each. */
const QUESTIONS = 16

/** A call that the daemon has said yes to. */
interface AcceptedCall {
  /** No two notifications have the same. */
  readonly deviceTokens: readonly string[]
  /** How often the daemon had been ended before. */
  readonly endings: number
}

describe('a daemon whose power is cut again and again', { skip: missing('cc') }, () => {
  let stage: PowerCutStage
  const accepted: AcceptedCall[] = []
  let next = 0
  let endings = 0
  const syncs = { log: 0, dataFile: 0 }

  before(async () => {
    stage = await PowerCutStage.open()
    await stage.provision()
    await notify(1)
    await stage.settled(1)
    // from now on no cut meets a data file that is being made; that is another test's
    await stage.stop()
    await stage.cutPower(ALL_LOST)
    await stage.startDaemon()
  })
  after(() => stage.close())

  /** @throws where the daemon refuses or is gone */
  async function notify(count: number): Promise<void> {
    const deviceTokens = Array.from({ length: count }, () => String(next++).padStart(64, '0'))
    const payload = () => ({ aps: { alert: 'x'.repeat(upTo(MOST_TEXT_BYTES)) } })
    // a large call has one payload for all
    const payloads = count === LARGE_CALL ? payload() : deviceTokens.map(payload)
    const endingsBefore = endings
    await stage.call('notify', 'myapp', deviceTokens, payloads)
    accepted.push({ deviceTokens, endings: endingsBefore })
  }

  /**
   * Lets clients call as fast as they are answered; after some answers ends the daemon and starts it again.
   * @param isAbrupt whether it ends in the midst of calls, rather than when all are answered
   */
  async function live(end: () => Promise<unknown>, isAbrupt = true, firstCall = 1): Promise<void> {
    const { promise: enough, resolve } = Promise.withResolvers<void>()
    let isEnding = false
    let calls = upTo(MOST_CALLS)
    if (calls === 0) resolve()
    const isDone = (): boolean => calls <= 0 && !isAbrupt
    const callOn = async (first: number): Promise<void> => {
      try {
        for (let count = first; !isDone(); count = 1 + upTo(MOST_IN_A_CALL - 1)) {
          await notify(count)
          calls -= 1
          if (calls <= 0) resolve()
        }
      } catch (error) {
        // a daemon that is being ended has not said yes, and may do either
        if (!isEnding) throw error
      }
    }
    const clients = Promise.all(
      Array.from({ length: CLIENTS }, (_, index) => callOn(index === 0 ? firstCall : 1)),
    )
    await (isAbrupt ? Promise.race([enough, clients]) : clients)
    isEnding = true
    await end()
    await clients
    endings += 1
    await stage.startDaemon()
  }

  async function cut(round: number): Promise<void> {
    const record = await stage.cutPower(round % 2 === 0 ? ALL_LOST : randomFate(random))
    syncs.log += countSyncs(record, 'apnsd.db-wal')
    syncs.dataFile += countSyncs(record, 'apnsd.db')
  }

  async function play(round: number): Promise<void> {
    const turn = TURNS[round % TURNS.length]
    if (turn === 'kill before') await live(() => stage.kill())
    if (turn === 'stop before') await live(() => stage.stop(), false)
    await live(() => cut(round), true, turn === 'large call' ? LARGE_CALL : 1)
  }

  /** Waits for so many more arrivals; false when they do not come. */
  async function arrive(more: number): Promise<boolean> {
    const silence = AbortSignal.timeout(SILENCE_MS)
    const arrival = stage.simulator.waitForNotifications(stage.simulator.totals.accepted + more)
    await Promise.race([arrival, once(silence, 'abort')])
    return !silence.aborted
  }

  /** Waits until everything accepted has arrived; gives every apns-id that it came with, by device token. */
  async function arrivals(): Promise<Map<string, string[]>> {
    const deviceTokens = accepted.flatMap((call) => call.deviceTokens)
    for (;;) {
      const ids = new Map<string, string[]>()
      for (const { deviceToken, apnsId } of stage.simulator.notifications())
        ids.set(deviceToken, [...(ids.get(deviceToken) ?? []), apnsId])
      const lost = deviceTokens.filter((deviceToken) => !ids.has(deviceToken)).length
      if (lost === 0) return ids
      const isAlive = await arrive(Math.min(lost, STEP))
      assert.ok(isAlive, `${lost} of ${deviceTokens.length} notifications are lost`)
    }
  }

  async function checkOutcomes(apnsIds: string[]): Promise<void> {
    const ask = async (): Promise<void> => {
      for (let id = apnsIds.pop(); id !== undefined; id = apnsIds.pop())
        assert.equal((await stage.outcome(id)).state, 'accepted')
    }
    await Promise.all(Array.from({ length: QUESTIONS }, ask))
  }

  it(`loses nothing it said yes to over ${rounds} cuts (seed ${seed})`, async (t) => {
    for (let round = 0; round < rounds; round += 1) await play(round)
    await notify(1)

    const ids = await arrivals()
    const asked: string[] = []
    let twice = 0
    for (const { deviceTokens, endings: endingsBefore } of accepted) {
      const most = 1 + endings - endingsBefore
      for (const [index, deviceToken] of deviceTokens.entries()) {
        const [id = '', ...again] = ids.get(deviceToken) ?? []
        assert.deepEqual(new Set(again).difference(new Set([id])), new Set(), 'one identifier')
        assert.ok(again.length < most, `it came ${again.length + 1} times, at most ${most}`)
        if (again.length > 0) twice += 1
        if (deviceTokens.length < LARGE_CALL || index % LARGE_CALL_SHARE === 0) asked.push(id)
      }
    }
    t.diagnostic(`${asked.length} outcomes asked for, ${twice} notifications sent again`)
    await checkOutcomes(asked)
    t.diagnostic(`${syncs.log} syncs of the log, ${syncs.dataFile} of the data file`)
    assert.ok(syncs.log > rounds, `the log was synced ${syncs.log} times`)
    assert.ok(syncs.dataFile > 0, 'the log was never moved into the data file')
  })
})
