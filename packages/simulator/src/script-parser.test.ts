import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseScript } from './script-parser.ts'

const RULE = { match: { nth: 1 }, times: 2, do: { type: 'reject', reason: 'BadTopic' } }

test('reads a list of rules, a single one, and an object that holds a list', () => {
  for (const script of [RULE, [RULE], { rules: [RULE] }]) {
    assert.deepEqual(parseScript(script), [RULE])
  }
  assert.deepEqual(parseScript({ rules: [] }), [])
})

test('reads every fault', () => {
  const faults = [
    { type: 'reject', reason: 'Unregistered', timestampMs: 1, retryAfterS: 2 },
    { type: 'reject', status: 418, reason: 'Teapot' },
    { type: 'refuseStream' },
    { type: 'noAnswer' },
    { type: 'delay', ms: 10 },
    { type: 'goaway', lastStream: 'this' },
    { type: 'goaway', code: 1, reason: 'Shutdown', lastStream: 'previous' },
    { type: 'streamLimit', limit: 0 },
    { type: 'closeConnection' },
  ]
  assert.deepEqual(
    parseScript(faults.map((fault) => ({ do: fault }))).map((rule) => rule.do),
    faults,
  )
})

const BAD: [script: unknown, message: string][] = [
  ['kill all', 'the script must be an object, not "kill all"'],
  [{ rules: {} }, 'rules must be a list, not {}'],
  [{ rules: [], also: 1 }, 'the script.also is not known; known: rules'],
  [[RULE, 7], 'rules[1] must be an object, not 7'],
  [{}, 'rules[0].do is missing'],
  [{ ...RULE, time: 1 }, 'rules[0].time is not known; known: match, times, do'],
  [
    { ...RULE, times: -1 },
    'rules[0].times must be a whole number from 0 to 9007199254740991, not -1',
  ],
  [
    { ...RULE, match: { token: 'x' } },
    'rules[0].match.token is not known; known: deviceToken, topic, nth',
  ],
  [{ ...RULE, match: { topic: 5 } }, 'rules[0].match.topic must be a text, not 5'],
  [
    { rules: [{ do: { type: 'rejct' } }] },
    'rules[0].do.type "rejct" is not known; known: reject, refuseStream, noAnswer, delay, goaway, streamLimit, closeConnection',
  ],
  [{ do: { type: 'reject' } }, 'rules[0].do.reason is missing'],
  [
    { do: { type: 'reject', reason: 'Teapot' } },
    'rules[0].do.status is missing: reason "Teapot" is not one of Apple\'s',
  ],
  [
    { do: { type: 'reject', reason: 'BadTopic', status: 200 } },
    'rules[0].do.status must be a whole number from 400 to 599, not 200',
  ],
  [{ do: { type: 'refuseStream', ms: 1 } }, 'rules[0].do.ms is not known; known: type'],
  [
    { do: { type: 'goaway', lastStream: 'next' } },
    'rules[0].do.lastStream "next" is not known; known: this, previous',
  ],
  [{ do: { type: 'goaway' } }, 'rules[0].do.lastStream is missing'],
  [
    { do: { type: 'delay', ms: 2 ** 31 } },
    'rules[0].do.ms must be a whole number from 0 to 2147483647, not 2147483648',
  ],
  [Array.from({ length: 10_001 }, () => RULE), 'rules has 10001 entries; at most 10000'],
]

for (const [script, message] of BAD) {
  test(`refuses a script: ${message}`, () => {
    assert.throws(() => parseScript(script), { code: 'BAD_INPUT', message })
  })
}
