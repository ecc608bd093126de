import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { formatCall, formatFault, formatResponse } from './format-message.ts'
import { escapeText, formatValue } from './format-value.ts'
import { MessageParser } from './message-parser.ts'
import { parseResponse, XmlRpcFault } from './parse-response.ts'
import { Base64, DateTime, newStruct, type XmlRpcStruct, type XmlRpcValue } from './values.ts'

function toStruct(entries: readonly [string, XmlRpcValue][]): XmlRpcStruct {
  const struct = newStruct()
  for (const [name, value] of entries) struct[name] = value
  return struct
}

/** Text that XML can carry as it is. */
const text = fc
  .string({ unit: 'binary' })
  .map((value) => value.replace(/[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\u{10000}-\u{10ffff}]/gu, ''))

const SAFE = BigInt(Number.MAX_SAFE_INTEGER)
const bigInteger = fc
  .bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n })
  .filter((value) => value > SAFE || value < -SAFE)

const dateTime = fc
  .integer({ min: Date.UTC(0, 0) / 1000, max: Date.UTC(9999, 11, 31) / 1000 })
  .map((epochS) => new DateTime(epochS))

const value = fc.letrec<{ value: XmlRpcValue }>((tie) => ({
  value: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    fc.constant(null),
    fc.boolean(),
    fc.integer(),
    fc.maxSafeInteger(),
    fc.double(),
    bigInteger,
    text,
    dateTime,
    fc.uint8Array().map((bytes) => new Base64(bytes)),
    fc.array(tie('value')),
    fc.array(fc.tuple(text, tie('value'))).map(toStruct),
  ),
})).value

test('a response that was written is read as the same value', () => {
  fc.assert(
    fc.property(value, (result) => {
      assert.deepStrictEqual(parseResponse(formatResponse(result)), result)
    }),
  )
})

test('a call that was written is read as the same call', () => {
  fc.assert(
    fc.property(text, fc.array(value), (method, params) => {
      const parser = new MessageParser('methodCall')
      parser.write(formatCall(method, params))
      const call = parser.end()
      assert.equal(call.method, method.trim())
      assert.deepStrictEqual(call.params, params)
    }),
  )
})

test('a fault that was written is thrown as the same fault', () => {
  fc.assert(
    fc.property(fc.integer(), text, (faultCode, faultString) => {
      assert.throws(
        () => parseResponse(formatFault(faultCode, faultString)),
        (thrown) =>
          thrown instanceof XmlRpcFault &&
          thrown.faultCode === faultCode &&
          thrown.faultString === faultString,
      )
    }),
  )
})

test('whatever a string holds, what comes out is well-formed XML', () => {
  fc.assert(
    fc.property(
      fc.string({ unit: fc.integer({ min: 0, max: 0xffff }).map((c) => String.fromCharCode(c)) }),
      (any) => {
        assert.equal(typeof parseResponse(formatResponse(any)), 'string')
      },
    ),
  )
})

test('what XML cannot carry becomes U+FFFD, and ]]> does not stand as it is', () => {
  assert.equal(
    escapeText('a\u0000b\u001fc\ufffed\ud800e\tf\n'),
    'a\ufffdb\ufffdc\ufffdd\ufffde\tf\n',
  )
  assert.equal(escapeText('a]]>&<b>\r'), 'a]]&gt;&amp;&lt;b&gt;&#13;')
})

test('numbers are written as the narrowest type that holds them', () => {
  assert.equal(formatValue(2147483647), '<value><int>2147483647</int></value>')
  assert.equal(formatValue(2147483648), '<value><i8>2147483648</i8></value>')
  assert.equal(formatValue(-2147483649n), '<value><i8>-2147483649</i8></value>')
  assert.equal(formatValue(5n), '<value><int>5</int></value>')
  assert.equal(formatValue(0.5), '<value><double>0.5</double></value>')
  assert.equal(formatValue(-0), '<value><double>-0.0</double></value>')
  assert.throws(() => formatValue(2n ** 63n), RangeError)
})

test('a date is written in UTC, without a zone', () => {
  const written = '<value><dateTime.iso8601>20231114T22:13:20</dateTime.iso8601></value>'
  assert.equal(formatValue(new DateTime(1700000000)), written)
  assert.throws(() => formatValue(new DateTime(1e12)), RangeError)
})

test('what is no response is refused as malformed', () => {
  for (const xml of [
    '',
    '<html/>',
    '<methodResponse/>',
    '<methodResponse><params/></methodResponse>',
    '<methodResponse><params><param><value/></param><param><value/></param></params></methodResponse>',
    '<methodResponse><fault><value/></fault></methodResponse>',
    '<methodResponse><fault/></methodResponse>',
    '<methodResponse><params><param><value>\ud800</value></param></params></methodResponse>',
  ]) {
    assert.throws(() => parseResponse(xml), { code: 'malformed-request' }, xml)
  }
})
