import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Log } from '../base/log.ts'
import { Health } from './health.ts'

type Line = [level: string, fields: Record<string, unknown>, message: string]

function openHealth() {
  const lines: Line[] = []
  const write =
    (level: string) =>
    (fields: Record<string, unknown>, message: string): void => {
      lines.push([level, fields, message])
    }
  const log = {
    debug: write('debug'),
    info: write('info'),
    warn: write('warn'),
    error: write('error'),
  }
  const clock = { nowMs: 1000, now: () => clock.nowMs, elapsed: () => clock.nowMs }
  return { health: new Health(log as Log, clock), lines, clock }
}

const FULL = { code: 'storage-failed', detail: 'The disk is full.', sinceMs: 1000 }
const PAUSED = { code: 'credential-refused', detail: 'Apple refuses it.', sinceMs: 500 }

describe('Health', () => {
  it('is ready until something fatal is reported, and again when it is over', () => {
    const { health } = openHealth()
    assert.equal(health.view().status, 'ready')
    health.set('app myapp', PAUSED, { isFatal: false })
    assert.equal(health.view().status, 'ready')
    health.set('storage', FULL, { isFatal: true })
    assert.equal(health.view().status, 'not ready')
    assert.deepEqual(
      health.view().problems.map(({ check, isFatal }) => [check, isFatal]),
      [
        ['storage', true],
        ['app myapp', false],
      ],
    )
    health.set('storage', null, { isFatal: true })
    assert.equal(health.view().status, 'ready')
    assert.deepEqual(health.view().problems, [{ check: 'app myapp', ...PAUSED, isFatal: false }])
  })

  it('is not ready while it drains', () => {
    const { health } = openHealth()
    health.drain()
    assert.equal(health.view().status, 'draining')
  })

  it('writes a line when a check changes, none when the same is said again', () => {
    const { health, lines, clock } = openHealth()
    health.set('storage', null, { isFatal: true })
    for (const sinceMs of [1000, 2000, 3000])
      health.set('storage', { ...FULL, sinceMs }, { isFatal: true })
    assert.equal(health.view().problems[0]?.sinceMs, 1000)
    clock.nowMs = 61_000
    health.set('storage', null, { isFatal: true })
    health.set('storage', null, { isFatal: true })
    assert.deepEqual(lines, [
      ['error', { check: 'storage', code: FULL.code, detail: FULL.detail }, 'a check fails'],
      ['info', { check: 'storage', code: FULL.code, lastedS: 60 }, 'a check passes again'],
    ])
  })

  it('writes a line when another thing is wrong with the same part', () => {
    const { health, lines } = openHealth()
    health.set('storage', FULL, { isFatal: true })
    health.set('storage', { ...FULL, code: 'read-only', sinceMs: 2000 }, { isFatal: true })
    assert.equal(lines.length, 2)
    assert.equal(health.view().problems[0]?.sinceMs, 2000)
  })

  it('shows the facts of each part, and does without those that cannot be had', () => {
    const { health } = openHealth()
    health.describe('queue', () => ({ waiting: 3 }))
    health.describe('storage', () => {
      throw new Error('the disk is gone')
    })
    assert.deepEqual(health.view().facts, { queue: { waiting: 3 }, storage: {} })
  })
})
