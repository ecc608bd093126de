/**
 * Throws damaged calls at the parser for FUZZ_SECONDS (2 unless told): whatever comes, it gives a call or an error of
 * ours. FUZZ_SEED repeats a run.
 */

import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { ApnsdError } from '../../packages/apnsd/src/base/errors.ts'
import { CallReader } from '../../packages/apnsd/src/doors/xmlrpc/call-reader.ts'
import { formatCall, formatResponse } from '../../packages/apnsd/src/doors/xmlrpc/format-message.ts'
import { pairNotifications } from '../../packages/apnsd/src/doors/xmlrpc/notify-params.ts'
import { parseResponse, XmlRpcFault } from '../../packages/apnsd/src/doors/xmlrpc/parse-response.ts'

const budgetMs = Number(process.env['FUZZ_SECONDS'] ?? 2) * 1000
const seed = Number(process.env['FUZZ_SEED'] ?? Math.floor(Math.random() * 2 ** 31))

const SAMPLE = formatCall('notify', [
  'shop',
  ['ab', 'cd'],
  [{ aps: { alert: 'Grüße 👋', badge: 1 } }, { k: [null, true, 1.5, -7, 2 ** 40, ''] }],
])

/** Pieces that documents are made of, right and wrong ones. */
const PIECES = [
  ...(SAMPLE.match(/<[^>]*>|[^<]+/g) ?? []),
  ...`<!DOCTYPE a [|<!ENTITY a "b">|]>|<!--|-->|--|<![CDATA[|]]>|<?x|?>`.split('|'),
  ...`&amp;|&#x1F44B;|&#0;|&#xD800;|&x;|&|<|>|"|'|\r|\0|\ufeff|\u0085`.split('|'),
  ...`<i8>|</i8>|<ex:nil/>|<base64>|<dateTime.iso8601>|<double>|nan|20231114T22:13:20`.split('|'),
  ...`<fault>|<methodResponse>|<value a="b">|<value a=b>|</>|<//|<value/>`.split('|'),
]

const ENCODINGS: [contentType: string | undefined, encode: (text: string) => Buffer][] = [
  [undefined, (text) => Buffer.from(text)],
  ['text/xml; charset=iso-8859-1', (text) => Buffer.from(text, 'latin1')],
  ['text/xml; charset=us-ascii', (text) => Buffer.from(text, 'latin1')],
  ['text/xml; charset=utf-16', (text) => Buffer.from(text, 'utf16le').swap16()],
  ['text/xml', (text) => Buffer.from(`\ufeff${text}`, 'utf16le')],
  ['text/xml; charset=shift_jis', (text) => Buffer.from(text, 'latin1')],
]

/** The sample with some pieces changed, or any heap of pieces. */
const document = fc.oneof(
  fc
    .array(fc.tuple(fc.nat(SAMPLE.length), fc.nat(20), fc.constantFrom(...PIECES, '')), {
      minLength: 1,
      maxLength: 4,
    })
    .map((changes) =>
      changes.reduce(
        (text, [at, cut, piece]) => text.slice(0, at) + piece + text.slice(at + cut),
        SAMPLE,
      ),
    ),
  fc.array(fc.constantFrom(...PIECES)).map((pieces) => pieces.join('')),
  fc.string({ unit: 'binary' }),
)

/** Flips of single bytes, and the places where the stream is cut. */
const damage = fc.array(fc.tuple(fc.nat(2000), fc.nat(255)), { maxLength: 3 })
const cuts = fc.array(fc.nat(2000), { maxLength: 4 })

function damageBytes(bytes: Buffer, changes: [number, number][]): Buffer {
  const damaged = Buffer.from(bytes)
  for (const [at, byte] of changes) if (at < damaged.length) damaged[at] = byte
  return damaged
}

function split(bytes: Buffer, places: number[]): Buffer[] {
  const edges = [0, ...places.filter((place) => place < bytes.length).sort((a, b) => a - b)]
  return edges.map((edge, index) => bytes.subarray(edge, edges[index + 1]))
}

/** The call, or the sentence of our own error; anything else that is thrown goes on. */
function read(contentType: string | undefined, pieces: Buffer[]): unknown {
  try {
    const reader = new CallReader(contentType)
    for (const piece of pieces) reader.write(piece)
    const { method, params, isJson } = reader.end()
    if (method === 'notify') pairNotifications(params[1] ?? null, params[2] ?? null, isJson)
    return { method, params, isJson }
  } catch (thrown) {
    if (thrown instanceof ApnsdError) return thrown.code
    throw thrown
  }
}

/** Runs a property until the budget is spent, at least once. */
function fuzz<T>(property: fc.IProperty<T>): number {
  const endMs = Date.now() + budgetMs / 2
  let round = 0
  do {
    fc.assert(property, { numRuns: 200, seed: seed + round })
    round += 1
  } while (Date.now() < endMs)
  return round * 200
}

test('a damaged call gives a call or an error of ours, the same however it is cut', (t) => {
  t.diagnostic(`FUZZ_SEED=${seed}`)
  const runs = fuzz(
    fc.property(
      document,
      fc.constantFrom(...ENCODINGS),
      damage,
      cuts,
      (text, [contentType, encode], changes, places) => {
        const bytes = damageBytes(encode(text), changes)
        const whole = read(contentType, [bytes])
        assert.deepEqual(read(contentType, split(bytes, places)), whole)
      },
    ),
  )
  t.diagnostic(`${runs} documents`)
})

test('a damaged response gives a value, a fault or an error of ours', (t) => {
  t.diagnostic(`FUZZ_SEED=${seed}`)
  const response = formatResponse([[1, 'a'], { b: null }])
  const runs = fuzz(
    fc.property(document, fc.nat(response.length), fc.boolean(), (text, at, mixed) => {
      try {
        parseResponse(mixed ? response.slice(0, at) + text : text)
      } catch (thrown) {
        assert.ok(thrown instanceof ApnsdError || thrown instanceof XmlRpcFault, String(thrown))
      }
    }),
  )
  t.diagnostic(`${runs} documents`)
})
