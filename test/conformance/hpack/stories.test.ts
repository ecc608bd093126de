import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { describe, it } from 'node:test'
import { Http2Error } from '../../../packages/apns/src/http2/errors.ts'
import { HpackDecoder } from '../../../packages/apns/src/http2/hpack/decoder.ts'
import { HpackEncoder } from '../../../packages/apns/src/http2/hpack/encoder.ts'
import { ConstantField, FieldName } from '../../../packages/apns/src/http2/hpack/fields.ts'

const FOLDER = new URL('stories/', import.meta.url)
const LIMITS = { maxTableBytes: 4096, maxHeaderListBytes: 1_000_000 }

interface Case {
  readonly wire: string
  readonly headers: Record<string, string>[]
  readonly header_table_size?: number
}
interface Story {
  readonly story: number
  readonly cases: Case[]
}
type Field = [name: string, value: string]

const storiesOf = (file: string): Story[] =>
  readFileSync(new URL(file, FOLDER), 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Story)

const fieldsOf = ({ headers }: Case): Field[] => headers.flatMap((header) => Object.entries(header))

function decode(decoder: HpackDecoder, block: Uint8Array, end = block.length): Field[] {
  const fields: Field[] = []
  assert.ok(decoder.decode(block, 0, end, (name, value) => fields.push([name, value])))
  return fields
}

/** Decodes the first cases of a story, as a connection would that has lived so far. */
function decoderAfter(cases: readonly Case[]): HpackDecoder {
  const decoder = new HpackDecoder(LIMITS)
  for (const each of cases) {
    if (each.header_table_size !== undefined) decoder.setMaxTableBytes(each.header_table_size)
    assert.deepEqual(decode(decoder, Buffer.from(each.wire, 'hex')), fieldsOf(each))
  }
  return decoder
}

/** Cuts the block behind each of its octets: what is left decodes to the first of its fields, or is refused. */
function checkCuts(before: readonly Case[], cut: Case): void {
  const block = Buffer.from(cut.wire, 'hex')
  const whole = fieldsOf(cut)
  for (let end = 0; end < block.length; end++) {
    const decoder = decoderAfter(before)
    if (cut.header_table_size !== undefined) decoder.setMaxTableBytes(cut.header_table_size)
    try {
      const fields = decode(decoder, block, end)
      assert.deepEqual(fields, whole.slice(0, fields.length))
    } catch (error) {
      assert.ok(error instanceof Http2Error)
    }
  }
}

const FILES = readdirSync(FOLDER).filter((file) => file.endsWith('.jsonl'))

describe('the HPACK stories', () => {
  for (const file of FILES) {
    it(`of ${file} decode to their fields`, () => {
      const stories = storiesOf(file)
      assert.equal(stories.length, 21)
      for (const { cases } of stories) decoderAfter(cases)
    })

    it(`of ${file}, cut behind each octet, are refused or give their first fields`, () => {
      for (const { cases } of storiesOf(file).filter(({ story }) => story < 10))
        cases.slice(0, 3).forEach((each, position) => checkCuts(cases.slice(0, position), each))
    })
  }

  it('come back the same from our own encoder, through a table that changes its size', () => {
    for (const { cases } of storiesOf('go-hpack.jsonl')) {
      const encoder = new HpackEncoder()
      const decoder = new HpackDecoder(LIMITS)
      const names = new Map<string, FieldName>()
      const constants = new Map<string, ConstantField>()
      const constantOf = ([name, value]: Field): ConstantField => {
        const key = `${name}\0${value}`
        const known = constants.get(key)
        if (known !== undefined) return known
        const fieldName = names.get(name) ?? new FieldName(name)
        names.set(name, fieldName)
        const field = new ConstantField(fieldName, value)
        constants.set(key, field)
        return field
      }
      cases.forEach((each, position) => {
        const tableBytes = [4096, 0, 500, 1500][position % 4]!
        encoder.setPeerMaxTableBytes(tableBytes)
        decoder.setMaxTableBytes(tableBytes)
        const target = Buffer.alloc(32_768)
        let at = encoder.beginBlock(target, 0)
        for (const field of fieldsOf(each))
          at = encoder.encodeConstant(target, at, constantOf(field))
        assert.deepEqual(decode(decoder, target, at), fieldsOf(each))
      })
    }
  })
})
