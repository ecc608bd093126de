/**
 * Kills the daemon at random moments, CRASH_ROUNDS times (50 unless told), and holds what it did against what lay on the
 * disk at each kill and against what Apple's stand-in answered. CRASH_SEED repeats the moments.
 */

import assert from 'node:assert/strict'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Notification } from '@apnsd/simulator'
import { ApnsdCommand } from '../support/apnsd-command.ts'
import { type OnDisk, readLeftDataFile, untilOnDisk } from '../support/data-file.ts'
import { SeededRandom, seedFrom } from '../support/seeded-random.ts'
import { Stage } from '../support/stage.ts'

const rounds = Number(process.env['CRASH_ROUNDS'] ?? 50)
const seed = seedFrom('CRASH_SEED')

const CLIENTS = 4
/** Up to so many in a call: several chunks' worth once in a while would only make it slow. */
const MOST_IN_A_CALL = 60
const LONGEST_LIFE_MS = 250
const LONGEST_DRAIN_MS = 60
const QUESTIONS = 16

/** When to kill; each as often as it stands here. */
const MOMENTS = [
  ...['under load', 'under load', 'under load', 'under load', 'under load'],
  ...['while it drains', 'while it drains', 'as it is ready', 'while it starts', 'while it starts'],
] as const

/** Every tenth notification goes to a dead device, every tenth to one that Apple's stand-in has another reason for. */
const isForDeadDevice = (n: number): boolean => n % 10 === 3
const isUnwanted = (n: number): boolean => n % 10 === 7
const UNWANTED = 'ff'.repeat(32)
const deviceTokenOf = (n: number): string =>
  isUnwanted(n) ? UNWANTED : n.toString(16).padStart(64, '0')
const numberOf = ({ payload }: Notification): number => (payload as { n: number }).n

const dataFolderOf = (stage: Stage): string => join(stage.folder, 'data')

/** What `apnsd serve` is told on a stage. */
const serveOptions = ({ folder, simulator: { url } }: Stage): string[] => [
  ...['--listen', '127.0.0.1:0', '--data', join(folder, 'data')],
  ...['--apns-sandbox', url, '--apns-production', url, '--apns-ca', join(folder, 'ca.pem')],
]

function expectedOutcome(n: number): { state: string; reason: string | null } {
  if (isForDeadDevice(n)) return { state: 'rejected', reason: 'Unregistered' }
  if (isUnwanted(n)) return { state: 'rejected', reason: 'BadCollapseId' }
  return { state: 'accepted', reason: null }
}

describe(`a daemon that is killed again and again (seed ${seed})`, () => {
  let stage: Stage
  const random = new SeededRandom(seed)
  /** Numbers of the notifications that the daemon has said "yes" to. */
  const accepted = new Set<number>()
  const apnsIdOf = new Map<number, string>()
  /** What the disk had outcomes for at the last kill. */
  let settled: ReadonlySet<string> = new Set()
  let answersSeen = 0
  let answeredTwice = 0
  let next = 0
  const kills = new Map<string, number>()

  before(async () => {
    stage = await Stage.open()
    await stage.provision()
    stage.simulator.play({
      rules: [
        { match: { deviceToken: UNWANTED }, do: { type: 'reject', reason: 'BadCollapseId' } },
        // so that there is always something under way
        { do: { type: 'delay', ms: 10 } },
      ],
    })
    await stage.call('notify', 'myapp', deviceTokenOf(next), { n: next })
    accepted.add(next)
    next += 1
    await stage.daemon.kill()
  })
  after(() => stage.close())

  /** Calls as fast as it is answered, until the daemon is gone. */
  async function callUntilGone(): Promise<void> {
    for (;;) {
      const numbers = Array.from({ length: random.between(1, MOST_IN_A_CALL) }, () => next++)
      for (const n of numbers.filter(isForDeadDevice)) stage.simulator.killDevice(deviceTokenOf(n))
      try {
        await stage.call(
          'notify',
          'myapp',
          numbers.map(deviceTokenOf),
          numbers.map((n) => ({ aps: { alert: 'hi' }, n })),
        )
      } catch {
        return // the daemon was killed: it has not said yes, and may do either
      }
      for (const n of numbers) accepted.add(n)
    }
  }

  async function liveAndDie(moment: (typeof MOMENTS)[number], startMs: number): Promise<void> {
    if (moment === 'while it starts') {
      const command = ApnsdCommand.start(['serve', ...serveOptions(stage)])
      await sleep(random.next() * startMs)
      await command.end('SIGKILL')
      return
    }
    await stage.startDaemon()
    if (moment !== 'as it is ready') {
      const clients = Array.from({ length: CLIENTS }, callUntilGone)
      await sleep(random.next() * LONGEST_LIFE_MS)
      if (moment === 'while it drains') {
        void stage.daemon.stop()
        await sleep(random.next() * LONGEST_DRAIN_MS)
      }
      await stage.daemon.kill()
      await Promise.all(clients)
    } else await stage.daemon.kill()
  }

  /** Holds what was answered since the last look against what the disk had outcomes for before. */
  function checkAnswers(): void {
    for (const answer of stage.simulator.answers().slice(answersSeen)) {
      const n = numberOf(answer)
      const { apnsId } = answer
      assert.ok(!settled.has(apnsId), `${n} was sent again, though its outcome was on the disk`)
      assert.equal(apnsIdOf.get(n) ?? apnsId, apnsId, `${n} came under two identifiers`)
      if (apnsIdOf.has(n)) answeredTwice += 1
      apnsIdOf.set(n, apnsId)
      answersSeen += 1
    }
  }

  /** What the dead daemon wrote to its connections may still be read from them: waits until that is over. */
  async function untilDisconnected(): Promise<void> {
    while (stage.simulator.connections().some(({ closed }) => !closed)) await sleep(1)
  }

  /** Until everything that came to the disk is settled there: what clients know of, and what they do not. */
  async function settleAll(): Promise<void> {
    await stage.startDaemon()
    await untilOnDisk(dataFolderOf(stage), ({ waiting }) => waiting.size === 0)
    checkAnswers()
  }

  it(`loses nothing it said yes to, and sends again what had no outcome on the disk, over ${rounds} kills`, async (t) => {
    const startedAtMs = performance.now()
    await stage.startDaemon()
    const startMs = performance.now() - startedAtMs
    await stage.daemon.kill()
    for (let round = 0; round < rounds; round += 1) {
      const moment = random.pick(MOMENTS)
      kills.set(moment, (kills.get(moment) ?? 0) + 1)
      await liveAndDie(moment, startMs)
      await untilDisconnected()
      checkAnswers()
      settled = readLeftDataFile(dataFolderOf(stage)).settled
    }
    await settleAll()
    t.diagnostic([...kills].map(([moment, count]) => `${count} ${moment}`).join(', '))
    t.diagnostic(`${accepted.size} said yes to, ${answeredTwice} answered once more`)
    const missing = [...accepted].filter((n) => !apnsIdOf.has(n))
    assert.deepEqual(missing, [])
  })

  it('gives each of them the one outcome that Apple answered', async () => {
    const questions = [...apnsIdOf].values()
    const ask = async (): Promise<void> => {
      for (const [n, apnsId] of questions) {
        const { state, reason } = await stage.outcome(apnsId)
        assert.deepEqual({ state, reason }, expectedOutcome(n), `notification ${n}`)
      }
    }
    await Promise.all(Array.from({ length: QUESTIONS }, ask))
  })

  it('hands out each dead device once', async () => {
    const entries = (await stage.call('feedback', 'myapp')) as [unknown, string][]
    const dead = [...apnsIdOf.keys()].filter(isForDeadDevice).map(deviceTokenOf)
    assert.deepEqual(entries.map(([, deviceToken]) => deviceToken).sort(), dead.sort())
    assert.deepEqual(await stage.call('feedback', 'myapp'), [])
  })
})

describe('a daemon that is killed with one answer missing', () => {
  const SILENT = 'ee'.repeat(32)
  const payload = { aps: { alert: 'hi' } }
  let stage: Stage

  before(async () => {
    stage = await Stage.open()
    await stage.provision()
  })
  after(() => stage.close())

  /** Submits notifications of which one gets no answer, and waits until the disk has outcomes for the others. */
  async function submitWithSilence(count: number): Promise<OnDisk> {
    stage.simulator.clearNotifications()
    stage.simulator.play({ match: { deviceToken: SILENT }, do: { type: 'noAnswer' } })
    const silentIndex = Math.floor(count / 2)
    const deviceTokens = Array.from({ length: count }, (_, index) =>
      index === silentIndex ? SILENT : index.toString(16).padStart(64, '0'),
    )
    await stage.call('notify', 'myapp', deviceTokens, payload)
    await stage.simulator.waitForNotifications(count - 1)
    while (!stage.simulator.connections().some(({ openStreams }) => openStreams > 0)) await sleep(1)
    return untilOnDisk(dataFolderOf(stage), ({ waiting }) => waiting.size === 1)
  }

  /** Starts the daemon with an Apple that answers; what it sends until everything is settled, by device token. */
  async function sentAfterRestart(): Promise<string[]> {
    stage.simulator.clearScript()
    stage.simulator.clearNotifications()
    await stage.startDaemon()
    await untilOnDisk(dataFolderOf(stage), ({ waiting }) => waiting.size === 0)
    // it has drained when it ends, so nothing comes behind
    assert.equal(await stage.daemon.stop(), 0)
    await stage.startDaemon()
    return stage.simulator.answers().map(({ deviceToken }) => deviceToken)
  }

  it('sends that one again, and none of a thousand whose outcomes are on the disk', async () => {
    await submitWithSilence(1000)
    await stage.daemon.kill()
    assert.deepEqual(await sentAfterRestart(), [SILENT])
  })

  it('does so when it was killed while it drained', async () => {
    await submitWithSilence(10)
    void stage.daemon.stop()
    await stage.daemon.waitForLog(({ msg }) => msg === 'draining')
    await stage.daemon.kill()
    assert.deepEqual(await sentAfterRestart(), [SILENT])
  })

  it('does so when it was killed twice', async () => {
    await submitWithSilence(10)
    await stage.daemon.kill()
    await stage.startDaemon()
    await stage.daemon.kill()
    assert.deepEqual(await sentAfterRestart(), [SILENT])
  })

  it('does so before it sends what comes after its start: it waits for no lease of its own', async () => {
    await submitWithSilence(1)
    await stage.daemon.kill()
    stage.simulator.clearScript()
    await stage.startDaemon()
    const fresh = 'dd'.repeat(32)
    await stage.call('notify', 'myapp', fresh, payload)
    const taken = await stage.settled(2)
    assert.deepEqual(
      taken.map(({ deviceToken }) => deviceToken),
      [SILENT, fresh],
    )
  })
})
