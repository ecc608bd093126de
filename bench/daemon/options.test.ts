import assert from 'node:assert/strict'
import { test } from 'node:test'
import { UsageError } from '../common/errors.ts'
import { MEASURE_NAMES } from './measures.ts'
import { HELP, readOptions } from './options.ts'

test('without options all but the long one is measured, in five rounds, and may be saved', () => {
  assert.deepEqual(readOptions([]), {
    only: [
      ...['bulk-xmlrpc', 'bulk-ndjson', 'single', 'lone'],
      ...['urgent', 'waiting', 'waiting-singles'],
    ],
    rounds: 5,
    scale: 1,
    replyTimesMs: [0, 50],
    profileFolder: null,
    json: null,
    mayBeSaved: true,
  })
})

test('what takes long is measured when it is asked for', () => {
  assert.deepEqual(readOptions(['--long'])?.only, MEASURE_NAMES)
  assert.deepEqual(readOptions(['--only', 'passed'])?.only, ['passed'])
  assert.deepEqual(readOptions(['--only', 'lone', '--long'])?.only, ['lone', 'passed'])
})

test('what is cut short or slowed down is not saved', () => {
  for (const args of [
    ['--only', 'lone'],
    ['--rounds', '4'],
    ['--scale', '0.9'],
    ['--reply-times', '0'],
    ['--cpu-prof', 'profiles'],
    ['--no-save'],
  ])
    assert.equal(readOptions(args)?.mayBeSaved, false, args.join(' '))
  for (const args of [['--rounds', '7'], ['--long'], ['--json', 'numbers.json']])
    assert.equal(readOptions(args)?.mayBeSaved, true, args.join(' '))
})

test('what is not understood is refused with what would be', () => {
  for (const [args, words] of [
    [['--fast'], /--fast/],
    [['lone'], /lone/],
    [['--only', 'pyapns'], /--only knows bulk-xmlrpc, .* not "pyapns"/],
    [['--rounds', '1.5'], /whole number/],
    [['--scale', '0'], /--scale takes a number above 0/],
    [['--reply-times', '0,-1'], /--reply-times takes a number from 0 on/],
  ] as const)
    assert.throws(
      () => readOptions(args),
      (error) => error instanceof UsageError && words.test(error.message),
      args.join(' '),
    )
})

test('help asks for nothing else, and names each measure', () => {
  assert.equal(readOptions(['--help']), null)
  for (const name of MEASURE_NAMES) assert.ok(HELP.includes(name), name)
})
