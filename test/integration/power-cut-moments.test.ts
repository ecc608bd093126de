/**
 * Cuts the power at every single moment of what is short enough: the daemon's first start, and its stop. What it does to
 * the disk is recorded once; then each beginning of that record is played, and the daemon started on what it leaves.
 * POWER_CUT_SEED repeats the fates.
 */

import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { createLog } from '../../packages/apnsd/src/base/log.ts'
import { loadConfig } from '../../packages/apnsd/src/config/load-config.ts'
import { Daemon } from '../../packages/apnsd/src/daemon.ts'
import { ALL_LOST, type Fate, NONE_LOST, randomFate } from '../support/power-cut/fate.ts'
import { digestOf, writeImage } from '../support/power-cut/image.ts'
import { type DiskRecord, imageAfter, PowerCutStage } from '../support/power-cut/power-cut-stage.ts'
import { randomFrom } from '../support/random.ts'
import { DEVICE_TOKEN } from '../support/stage.ts'
import { missing } from '../support/system-parts.ts'

const seed = Number(process.env['POWER_CUT_SEED'] ?? Math.floor(Math.random() * 2 ** 31))
const random = randomFrom(seed)
const log = createLog('silent')

describe('a power cut, wherever it comes', { skip: missing('cc') }, () => {
  let stage: PowerCutStage
  let record: DiskRecord
  /** How many operations had been done when the daemon had answered that the app is provisioned. */
  let provisionedAt = 0
  let stoppedFrom = 0
  let apnsId = ''

  before(async () => {
    stage = await PowerCutStage.open()
    await stage.provision()
    provisionedAt = stage.countOperations()
    await stage.call('notify', 'myapp', DEVICE_TOKEN, { aps: { alert: 'hi' } })
    const [taken] = await stage.settled(1)
    apnsId = taken?.apnsId ?? ''
    stoppedFrom = stage.countOperations()
    record = await stage.stop()
  })
  after(() => stage.close())

  /** Starts the daemon in this process, and asks it for something. */
  async function ask(path: string): Promise<unknown> {
    const options = {
      listen: '127.0.0.1:0',
      data: stage.dataFolder,
      'apns.sandbox': stage.simulator.url,
    }
    const daemon = await Daemon.start(loadConfig(undefined, options, {}), log)
    try {
      return await (await fetch(daemon.url + path)).json()
    } finally {
      await daemon.stop()
    }
  }

  /** Plays each beginning of the record from `first` to `last` operations, as a power cut and as a mere kill. */
  async function playEach(
    first: number,
    last: number,
    check: (count: number, fate: Fate) => Promise<void>,
  ): Promise<void> {
    assert.ok(first < last)
    const seen = new Set<string>()
    for (let count = first; count <= last; count += 1) {
      for (const fate of [ALL_LOST, NONE_LOST, randomFate(random)]) {
        const image = imageAfter(record, fate, count)
        // once the app is provisioned the same image has to hold more
        const digest = `${count >= provisionedAt} ${digestOf(image)}`
        if (seen.has(digest)) continue
        seen.add(digest)
        writeImage(stage.disk, image)
        try {
          stage.checkDatabase()
          await check(count, fate)
        } catch (cause) {
          throw new Error(`after ${count} operations, ${fate.name}: ${String(cause)}`, { cause })
        }
      }
    }
  }

  it(`within the first start leaves what the next can use; the app is there once provisioned (seed ${seed})`, async () => {
    await playEach(0, provisionedAt, async (count) => {
      const { apps } = (await ask('/v1/apps')) as { apps: { app: string }[] }
      if (count === provisionedAt)
        assert.deepEqual(
          apps.map(({ app }) => app),
          ['myapp'],
        )
    })
  })

  it(`within a stop takes no outcome away that is on the disk (seed ${seed})`, async () => {
    let isOnDisk = false
    await playEach(stoppedFrom, record.operations.length, async (_count, fate) => {
      const { state } = (await ask(`/v1/notifications/${apnsId}`)) as { state: string }
      // it is told before it is written, up to 100 ms later; until then the notification may be sent again
      if (fate === ALL_LOST && state === 'accepted') isOnDisk = true
      assert.ok(state === 'accepted' || (state === 'waiting' && !isOnDisk), state)
    })
    assert.ok(isOnDisk)
  })
})
