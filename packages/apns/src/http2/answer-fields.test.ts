import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { AnswerFields } from './answer-fields.ts'
import { Http2Error, PROTOCOL_ERROR } from './errors.ts'

function collect(...fields: [string, string][]): AnswerFields {
  const block = new AnswerFields({ has: (name) => name !== 'dropped' })
  for (const [name, value] of fields) block.add(name, value)
  return block
}

describe('AnswerFields', () => {
  it('collects :status and the fields that are wanted, values of a repeated one joined', () => {
    const block = collect(
      [':status', '200'],
      ['a', '1'],
      ['b', ''],
      ['a', '2'],
      ['b', '3'],
      ['dropped', 'x'],
    )
    block.check(1)
    assert.equal(block.status, 200)
    assert.deepEqual(block.kept, { a: '1, 2', b: ', 3' })
  })

  it('takes a field that is named like something every object has', () => {
    const block = collect([':status', '200'], ['constructor', 'x'], ['__proto__', 'y'])
    block.check(1)
    assert.equal(block.kept?.['constructor'], 'x')
    assert.equal(Object.getPrototypeOf(block.kept), Object.prototype)
  })

  it('takes every status of three digits', () => {
    for (const status of [100, 200, 429, 999])
      assert.equal(collect([':status', String(status)]).status, status)
  })

  const faulty: [string, [string, string][]][] = [
    ...['', '0', '20', '099', '2000', '+20', '2 0', 'abc', ' 200'].map(
      (status): [string, [string, string][]] => [`:status ${status}`, [[':status', status]]],
    ),
    ...['connection', 'keep-alive', 'proxy-connection', 'transfer-encoding', 'upgrade'].map(
      (name): [string, [string, string][]] => [name, [[name, 'x']]],
    ),
    ['a pseudo-header field of requests', [[':method', 'POST']]],
    ['a pseudo-header field without a name', [[':', 'x']]],
    ['a name in upper case', [['aPns-id', 'x']]],
    ...['a b', 'a:b', 'a\n', '\x7f', 'a\xe4'].map((name): [string, [string, string][]] => [
      `the name ${JSON.stringify(name)}`,
      [[name, 'x']],
    ]),
    ...['\0', 'a\rb', 'a\n'].map((value): [string, [string, string][]] => [
      `the value ${JSON.stringify(value)}`,
      [['date', value]],
    ]),
    ...['', '-1', '1.5', '+1', '9'.repeat(20)].map((value): [string, [string, string][]] => [
      `content-length ${value}`,
      [['content-length', value]],
    ]),
    [
      'content-length that contradicts itself',
      [
        ['content-length', '1'],
        ['content-length', '2'],
      ],
    ],
    ['a field without a name', [['', 'x']]],
  ]
  for (const [what, fields] of faulty)
    it(`finds fault with ${what}, wherever it stands`, () => {
      const before = collect(...fields, ['a', 'b'])
      const behind = collect([':status', '200'], ...fields)
      for (const block of [before, behind])
        assert.throws(
          () => block.check(7),
          (error) =>
            error instanceof Http2Error &&
            error.errorCode === PROTOCOL_ERROR &&
            error.streamId === 7,
        )
    })

  it('begins anew for the next block, and leaves what was taken alone', () => {
    const block = collect([':status', '410'], ['a', '1'], ['content-length', '7'], ['B', 'x'])
    const { kept } = block
    assert.equal(block.contentLength, 7)
    block.clear()
    assert.deepEqual([block.status, block.contentLength, block.kept], [0, -1, null])
    block.add(':status', '200')
    block.add('a', '2')
    block.check(1)
    assert.deepEqual(kept, { a: '1', 'content-length': '7', B: 'x' })
  })

  it('names the first fault, and nothing of a value', () => {
    const block = collect(['Secret-Name', 'secret'], ['connection', 'secret'], [':status', 'x'])
    assert.throws(() => block.check(1), /^Http2Error: a field whose name HTTP\/2 does not allow$/)
  })
})
