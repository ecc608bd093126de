import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { AnswerFields } from './answer-fields.ts'
import { Http2Error, PROTOCOL_ERROR } from './errors.ts'

function collect(...fields: [string, string][]): AnswerFields {
  const block = new AnswerFields()
  for (const [name, value] of fields) block.add(name, value)
  return block
}

describe('AnswerFields', () => {
  it('collects :status and fields, values of a repeated one joined', () => {
    const block = collect([':status', '200'], ['a', '1'], ['b', ''], ['a', '2'], ['b', '3'])
    block.check(1)
    assert.equal(block.status, 200)
    assert.deepEqual(block.fields, { a: '1, 2', b: ', 3' })
  })

  it('takes a field that is named like something every object has', () => {
    const block = collect([':status', '200'], ['constructor', 'x'], ['__proto__', 'y'])
    block.check(1)
    assert.equal(block.fields['constructor'], 'x')
    assert.equal(Object.getPrototypeOf(block.fields), Object.prototype)
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

  it('names the first fault, and nothing of a value', () => {
    const block = collect(['Secret-Name', 'secret'], ['connection', 'secret'], [':status', 'x'])
    assert.throws(() => block.check(1), /^Http2Error: a field whose name is not in lower case$/)
  })
})
