/**
 * Kills the daemon at random moments under load, CRASH_ROUNDS times (50 unless told), and counts at the end: nothing that
 * it answered "yes" to is missing, each has one outcome, and none came more often than once plus once for each kill that it
 * lived through. CRASH_SEED repeats the moments.
 */

import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { randomFrom } from '../support/random.ts'
import { DEVICE_TOKEN, Stage } from '../support/stage.ts'

const rounds = Number(process.env['CRASH_ROUNDS'] ?? 50)
const seed = Number(process.env['CRASH_SEED'] ?? Math.floor(Math.random() * 2 ** 31))

const CLIENTS = 4
/** Up to so many in a call: several chunks' worth once in a while would only make it slow. */
const MOST_IN_A_CALL = 60
const LONGEST_LIFE_MS = 250

describe('a daemon that is killed again and again', () => {
  let stage: Stage
  const random = randomFrom(seed)
  /** Numbers of the notifications that the daemon has said "yes" to, and the round it was in. */
  const accepted = new Map<number, number>()
  let next = 0

  before(async () => {
    stage = await Stage.open()
    await stage.provision()
    await stage.call('notify', 'myapp', DEVICE_TOKEN, { n: -1 })
    await stage.settled(1)
  })
  after(() => stage.close())

  /** Calls as fast as it is answered, until the daemon is gone. */
  async function call(round: number): Promise<void> {
    for (;;) {
      const count = 1 + Math.floor(random() * MOST_IN_A_CALL)
      const numbers = Array.from({ length: count }, () => next++)
      try {
        await stage.call(
          'notify',
          'myapp',
          numbers.map(() => DEVICE_TOKEN),
          numbers.map((n) => ({ aps: { alert: 'hi' }, n })),
        )
      } catch {
        return // the daemon was killed: it has not said yes, and may do either
      }
      for (const n of numbers) accepted.set(n, round)
    }
  }

  it(`loses nothing it said yes to over ${rounds} kills (seed ${seed})`, async (t) => {
    for (let round = 0; round < rounds; round += 1) {
      const clients = Array.from({ length: CLIENTS }, () => call(round))
      await new Promise((resolve) => setTimeout(resolve, random() * LONGEST_LIFE_MS))
      await stage.daemon.kill()
      await Promise.all(clients)
      await stage.startDaemon()
    }
    // what is waiting is sent before whatever comes now
    await stage.call('notify', 'myapp', DEVICE_TOKEN, { n: next })
    accepted.set(next, rounds)

    const arrivals = new Map<number, string[]>()
    const isComplete = (): boolean => {
      arrivals.clear()
      for (const { payload, apnsId } of stage.simulator.notifications()) {
        const { n } = payload as { n: number }
        arrivals.set(n, [...(arrivals.get(n) ?? []), apnsId])
      }
      return [...accepted.keys()].every((n) => arrivals.has(n))
    }
    while (!isComplete())
      await stage.simulator.waitForNotifications(stage.simulator.notifications().length + 1)

    let twice = 0
    for (const [n, round] of accepted) {
      const ids = arrivals.get(n)!
      assert.equal(new Set(ids).size, 1, `notification ${n} came under several identifiers`)
      const kills = rounds - round
      assert.ok(
        ids.length <= 1 + kills,
        `notification ${n} came ${ids.length} times, ${kills} kills`,
      )
      if (ids.length > 1) twice += 1
    }
    t.diagnostic(`${accepted.size} accepted, ${twice} of them sent more than once`)
    for (const n of accepted.keys()) {
      const { state } = await stage.outcome(arrivals.get(n)![0]!)
      assert.equal(state, 'accepted')
    }
  })
})
