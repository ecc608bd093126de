import assert from 'node:assert/strict'
import { test } from 'node:test'
import { UsageError } from '../common/errors.ts'
import { CONTESTANT_NAMES } from './contestants.ts'
import { readOptions } from './options.ts'

test('without options all is measured, in five rounds, and may be saved', () => {
  assert.deepEqual(readOptions([]), {
    only: CONTESTANT_NAMES,
    measures: ['throughput', 'latency', 'pool'],
    rounds: 5,
    scale: 1,
    replyTimesMs: [0, 50, 150],
    soak: null,
    json: null,
    mayBeSaved: true,
  })
})

test('what is cut short is not saved', () => {
  for (const args of [
    ['--only', 'apnsd'],
    ['--measure', 'latency'],
    ['--rounds', '4'],
    ['--scale', '0.9'],
    ['--reply-times', '0'],
    ['--no-save'],
    ['--soak', '999999'],
    ['--soak', '5000000', '--no-save'],
  ])
    assert.equal(readOptions(args)?.mayBeSaved, false, args.join(' '))
  for (const args of [
    ['--rounds', '7'],
    ['--soak', '5000000'],
    ['--json', 'numbers.json'],
  ])
    assert.equal(readOptions(args)?.mayBeSaved, true, args.join(' '))
})

test('names keep the order of the table, whatever order they are asked for in', () => {
  assert.deepEqual(readOptions(['--only', 'h2load, apnsd'])?.only, ['apnsd', 'h2load'])
})

test('what is not understood is refused with what would be', () => {
  for (const [args, words] of [
    [['--fast'], /--fast/],
    [['fast'], /fast/],
    [['--only', 'pushy'], /--only knows apnsd, .* not "pushy"/],
    [['--measure', ''], /--measure knows throughput, /],
    [['--rounds', '0'], /--rounds takes a number from 1 on, not "0"/],
    [['--rounds', '1.5'], /whole numbers/],
    [['--scale', '0'], /--scale takes a number above 0/],
    [['--scale', 'x'], /--scale takes a number above 0, not "x"/],
    [['--reply-times', '0,-1'], /--reply-times takes a number from 0 on/],
    [['--soak', '20'], /--soak takes a number from 1000 on/],
  ] as const)
    assert.throws(
      () => readOptions(args),
      (error) => error instanceof UsageError && words.test(error.message),
      args.join(' '),
    )
})
