import assert from 'node:assert/strict'
import { after, before, beforeEach, describe, it } from 'node:test'
import { RestCalls } from '../support/rest-calls.ts'
import { Stage } from '../support/stage.ts'

const payload = { aps: { alert: 'hi' } }
const tokenOf = (index: number): string => index.toString(16).padStart(64, '0')
const tokensFrom = (first: number, count: number): string[] =>
  Array.from({ length: count }, (_, index) => tokenOf(first + index))

/** Apple takes few at a time, and so long for each: a campaign of thousands is on its way for seconds. */
const STREAM_LIMIT = 20
const SLOW = [{ do: { type: 'delay', ms: 20 } }] as const

describe('who goes first', () => {
  let stage: Stage
  const rest = new RestCalls(() => stage.daemon.url)
  before(async () => {
    stage = await Stage.open({ streamLimit: STREAM_LIMIT })
    await stage.provision('one')
    await stage.provision('two')
    await rest.ended(await rest.submit('one', { token: tokenOf(0), payload }))
    await rest.ended(await rest.submit('two', { token: tokenOf(0), payload }))
  })
  after(() => stage.close())
  beforeEach(() => {
    stage.simulator.clearScript()
    stage.simulator.clearNotifications()
  })

  const arrivals = (): number[] =>
    stage.simulator.notifications().map(({ deviceToken }) => Number.parseInt(deviceToken, 16))

  it('lets a single one pass the campaign of its app', async () => {
    stage.simulator.play(SLOW)
    const campaign = await rest.submit('one', { tokens: tokensFrom(1000, 6000), payload })
    await stage.simulator.waitForNotifications(50)
    const single = await rest.submit('one', { token: tokenOf(1), payload })
    await rest.ended(single)
    const { counts } = await rest.batch(campaign)
    assert.ok(counts['waiting']! > 3000, `${counts['waiting']} of the campaign waited`)
    // what was on its way goes first, on as many connections as there are by then
    assert.ok(arrivals().indexOf(1) < 16 * STREAM_LIMIT + 500, `it came ${arrivals().indexOf(1)}th`)
    await rest.call('DELETE', `/v1/batches/${campaign}`)
    await rest.ended(campaign)
  })

  it('lets the chunks of two campaigns take turns', async () => {
    stage.simulator.play(SLOW)
    const first = await rest.submit('one', { tokens: tokensFrom(10_000, 9000), payload })
    await stage.simulator.waitForNotifications(50)
    const second = await rest.submit('one', { tokens: tokensFrom(20_000, 1000), payload })
    stage.simulator.clearScript()
    await rest.ended(second)
    assert.ok((await rest.batch(first)).counts['waiting']! > 0)
    await rest.ended(first)
  })

  it('starves no app by another’s campaign', async () => {
    stage.simulator.play(SLOW)
    const campaign = await rest.submit('one', { tokens: tokensFrom(10_000, 5000), payload })
    await stage.simulator.waitForNotifications(50)
    const other = await rest.submit('two', { tokens: tokensFrom(20_000, 300), payload })
    await rest.ended(other)
    assert.ok((await rest.batch(campaign)).counts['waiting']! > 0)
    await rest.call('DELETE', `/v1/batches/${campaign}`)
    await rest.ended(campaign)
  })

  it('keeps a campaign to its pace', async () => {
    const startedAtMs = Date.now()
    const paced = await rest.submit('one', { tokens: tokensFrom(1, 40), payload, rate: 20 })
    await rest.ended(paced)
    // the first twenty at once, the others a second later: no sooner, however slow the machine
    assert.ok(Date.now() - startedAtMs >= 990, `${Date.now() - startedAtMs} ms`)
    assert.equal(arrivals().length, 40)
  })

  it('sends nothing more of a campaign that was taken back, nor after a restart', async () => {
    stage.simulator.play(SLOW)
    const campaign = await rest.submit('one', { tokens: tokensFrom(1000, 6000), payload })
    await stage.simulator.waitForNotifications(50)
    const { body } = await rest.call('DELETE', `/v1/batches/${campaign}`)
    assert.equal(body.cancelled, true)
    await stage.daemon.kill()
    await stage.startDaemon()
    const { counts } = await rest.ended(campaign)
    const { accepted = 0, cancelled = 0 } = counts
    assert.equal(accepted + cancelled, 6000)
    assert.ok(cancelled > 4000)
    assert.ok(new Set(arrivals()).size < 2000)
  })
})
