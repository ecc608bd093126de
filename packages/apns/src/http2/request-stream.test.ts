import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { AnswerFields } from './answer-fields.ts'
import { Http2Error, PROTOCOL_ERROR } from './errors.ts'
import { RequestStream } from './request-stream.ts'

const newStream = (): RequestStream => new RequestStream(5, () => undefined)
function fieldsOf(status: string): AnswerFields {
  const block = new AnswerFields()
  if (status !== '') block.add(':status', status)
  return block
}
const isMalformed = (error: unknown): boolean =>
  error instanceof Http2Error && error.errorCode === PROTOCOL_ERROR && error.streamId === 5

describe('RequestStream', () => {
  it('has no status before the final header block', () => {
    const stream = newStream()
    assert.equal(stream.answer.status, 0)
    for (const status of ['100', '103', '199']) stream.takeFields(fieldsOf(status), false)
    assert.equal(stream.answer.status, 0)
    stream.takeFields(fieldsOf('200'), false)
    assert.equal(stream.answer.status, 200)
  })

  it('keeps a copy of the body, as the bytes are valid during the call only', () => {
    const stream = newStream()
    stream.takeFields(fieldsOf('400'), false)
    const bytes = Buffer.from('..{}..')
    stream.takeData(bytes, 2, 4, 2)
    bytes.fill(0)
    assert.equal(stream.answer.body, '{}')
  })

  it('widens its window by what came as soon as half of it is spent', () => {
    const stream = newStream()
    stream.takeFields(fieldsOf('200'), false)
    const bytes = new Uint8Array(16_384)
    const take = (flowControlledBytes: number): number =>
      stream.takeData(bytes, 0, 0, flowControlledBytes)
    assert.deepEqual([take(16_384), take(16_383), take(1), take(1)], [0, 0, 32_768, 0])
  })

  it('refuses data and trailers before the answer, and an interim answer that is the last', () => {
    const stream = newStream()
    assert.throws(() => stream.takeData(new Uint8Array(1), 0, 1, 1), isMalformed)
    assert.throws(() => stream.takeFields(fieldsOf(''), true), isMalformed)
    assert.throws(() => stream.takeFields(fieldsOf('100'), true), isMalformed)
  })
})
