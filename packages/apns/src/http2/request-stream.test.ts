import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { AnswerFields } from './answer-fields.ts'
import { Http2Error, PROTOCOL_ERROR } from './errors.ts'
import { RequestStream } from './request-stream.ts'

function newStream(): RequestStream {
  const stream = new RequestStream()
  stream.id = 5
  return stream
}
function fieldsOf(status: string, contentLength = ''): AnswerFields {
  const block = new AnswerFields({ has: () => true })
  if (status !== '') block.add(':status', status)
  if (contentLength !== '') block.add('content-length', contentLength)
  return block
}
const isMalformed = (error: unknown): boolean =>
  error instanceof Http2Error && error.errorCode === PROTOCOL_ERROR && error.streamId === 5

describe('RequestStream', () => {
  it('has no status before the final header block', () => {
    const stream = newStream()
    assert.equal(stream.status, 0)
    for (const status of ['100', '103', '199']) stream.takeFields(fieldsOf(status), false)
    assert.equal(stream.status, 0)
    stream.takeFields(fieldsOf('200'), false)
    assert.equal(stream.status, 200)
  })

  it('keeps a copy of the body, as the bytes are valid during the call only', () => {
    const stream = newStream()
    stream.takeFields(fieldsOf('400'), false)
    const bytes = Buffer.from('..{}..')
    stream.takeData(bytes, 2, 4, 2)
    bytes.fill(0)
    assert.equal(stream.body, '{}')
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

  it('holds the answer to its content-length, except where there is no body by its status', () => {
    const lengths: [status: string, contentLength: string, body: string, isRight: boolean][] = [
      ['200', '', 'ab', true],
      ['200', '2', 'ab', true],
      ['200', '0', '', true],
      ['400', '3', 'ab', false],
      ['400', '1', 'ab', false],
      ['200', '1', '', false],
      ['304', '9', '', true],
      ['204', '9', '', true],
    ]
    for (const [status, contentLength, body, isRight] of lengths) {
      const stream = newStream()
      stream.takeFields(fieldsOf(status, contentLength), body === '')
      const bytes = Buffer.from(body)
      stream.takeData(bytes, 0, bytes.length, bytes.length)
      if (isRight) stream.checkLength()
      else assert.throws(() => stream.checkLength(), isMalformed)
    }
  })

  it('counts what is cut off from a long body, too', () => {
    const stream = newStream()
    stream.takeFields(fieldsOf('400', '20000'), false)
    for (let n = 0; n < 2; n += 1) stream.takeData(new Uint8Array(10_000), 0, 10_000, 10_000)
    stream.checkLength()
    assert.equal(stream.body.length, 16_384)
  })
})
