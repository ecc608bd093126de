import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Rule } from './script.ts'
import { ScriptPlayer } from './script-player.ts'

const A = 'aa'.repeat(32)
const B = 'bb'.repeat(32)

function delay(ms: number): Rule['do'] {
  return { type: 'delay', ms }
}

/** Gives the milliseconds of the delays that were chosen; null for none. */
function played(player: ScriptPlayer, ...requests: [deviceToken: string, topic: string][]) {
  return requests.map(([deviceToken, topic]) => {
    const fault = player.next(deviceToken, topic)
    return fault?.type === 'delay' ? fault.ms : null
  })
}

test('plays a rule to the requests that it fits, in any case of the device token', () => {
  const player = new ScriptPlayer()
  player.play([
    { match: { deviceToken: A.toUpperCase() }, do: delay(1) },
    { match: { topic: 'com.x' }, do: delay(2) },
  ])
  assert.deepEqual(played(player, [A, 'com.x'], [B, 'com.x'], [B, 'com.y']), [1, 2, null])
})

test('plays a rule so many times, then the next one that fits', () => {
  const player = new ScriptPlayer()
  player.play([
    { times: 2, do: delay(1) },
    { times: 1, do: delay(2) },
    { times: 0, do: delay(3) },
  ])
  assert.deepEqual(played(player, [A, ''], [A, ''], [A, ''], [A, '']), [1, 1, 2, null])
})

test('lets the first fitting requests pass', () => {
  const player = new ScriptPlayer()
  player.play({ match: { deviceToken: A, nth: 2 }, times: 1, do: delay(1) })
  const requests: [string, string][] = [A, B, A, A, A].map((deviceToken) => [deviceToken, ''])
  assert.deepEqual(played(player, ...requests), [null, null, null, 1, null])
})

test('plays a new script in place of the old one, from its start', () => {
  const player = new ScriptPlayer()
  player.play({ do: delay(1) })
  player.play({ times: 1, do: delay(2) })
  assert.deepEqual(played(player, [A, ''], [A, '']), [2, null])
  player.play({ times: 1, do: delay(2) })
  assert.deepEqual(played(player, [A, '']), [2])
})

test('goes on with the old script when the new one is malformed', () => {
  const player = new ScriptPlayer()
  player.play({ do: delay(1) })
  assert.throws(() => player.play({ do: delay(-1) }), { code: 'BAD_INPUT' })
  assert.deepEqual(played(player, [A, '']), [1])
  player.clear()
  assert.deepEqual(played(player, [A, '']), [null])
})
