import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { HpackDecoder } from './decoder.ts'

type Fields = [name: string, value: string][]

/** The blocks of one of RFC 7541's appendices, decoded one after the other. */
interface Example {
  readonly title: string
  readonly maxTableBytes: number
  readonly blocks: readonly { readonly hex: string; readonly fields: Fields }[]
}

const REQUESTS: Fields[] = [
  [
    [':method', 'GET'],
    [':scheme', 'http'],
    [':path', '/'],
    [':authority', 'www.example.com'],
  ],
  [
    [':method', 'GET'],
    [':scheme', 'http'],
    [':path', '/'],
    [':authority', 'www.example.com'],
    ['cache-control', 'no-cache'],
  ],
  [
    [':method', 'GET'],
    [':scheme', 'https'],
    [':path', '/index.html'],
    [':authority', 'www.example.com'],
    ['custom-key', 'custom-value'],
  ],
]

const answer = (status: string, second: string, rest: Fields = []): Fields => [
  [':status', status],
  ['cache-control', 'private'],
  ['date', `Mon, 21 Oct 2013 20:13:${second} GMT`],
  ['location', 'https://www.example.com'],
  ...rest,
]
const RESPONSES: Fields[] = [
  answer('302', '21'),
  answer('307', '21'),
  answer('200', '22', [
    ['content-encoding', 'gzip'],
    ['set-cookie', 'foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1'],
  ]),
]

const blocksOf = (fields: Fields[], hex: string[]): Example['blocks'] =>
  hex.map((each, position) => ({ hex: each.replaceAll(' ', ''), fields: fields[position]! }))

const EXAMPLES: Example[] = [
  {
    title: 'C.2.1, a literal that is inserted',
    maxTableBytes: 4096,
    blocks: blocksOf(
      [[['custom-key', 'custom-header']]],
      ['400a637573746f6d2d6b65790d637573746f6d2d686561646572'],
    ),
  },
  {
    title: 'C.2.2, a literal that is not',
    maxTableBytes: 4096,
    blocks: blocksOf([[[':path', '/sample/path']]], ['040c2f73616d706c652f70617468']),
  },
  {
    title: 'C.2.3, one that is never indexed',
    maxTableBytes: 4096,
    blocks: blocksOf([[['password', 'secret']]], ['100870617373776f726406736563726574']),
  },
  {
    title: 'C.2.4, an indexed field',
    maxTableBytes: 4096,
    blocks: blocksOf([[[':method', 'GET']]], ['82']),
  },
  {
    title: 'C.3, requests as they are',
    maxTableBytes: 4096,
    blocks: blocksOf(REQUESTS, [
      '828684410f7777772e6578616d706c652e636f6d',
      '828684be58086e6f2d6361636865',
      '828785bf400a637573746f6d2d6b65790c637573746f6d2d76616c7565',
    ]),
  },
  {
    title: 'C.4, requests in the Huffman code',
    maxTableBytes: 4096,
    blocks: blocksOf(REQUESTS, [
      '828684418cf1e3c2e5f23a6ba0ab90f4ff',
      '828684be5886a8eb10649cbf',
      '828785bf408825a849e95ba97d7f8925a849e95bb8e8b4bf',
    ]),
  },
  {
    title: 'C.5, answers as they are, in a table of 256 bytes',
    maxTableBytes: 256,
    blocks: blocksOf(RESPONSES, [
      `4803333032580770726976617465611d4d6f6e2c203231204f637420323031332032303a31333a323120474d54
       6e1768747470733a2f2f7777772e6578616d706c652e636f6d`.replaceAll(/\s/g, ''),
      '4803333037c1c0bf',
      `88c1611d4d6f6e2c203231204f637420323031332032303a31333a323220474d54c05a04677a69707738666f6f3d
       4153444a4b48514b425a584f5157454f50495541585157454f49553b206d61782d6167653d333630303b20766572
       73696f6e3d31`.replaceAll(/\s/g, ''),
    ]),
  },
  {
    title: 'C.6, answers in the Huffman code, in a table of 256 bytes',
    maxTableBytes: 256,
    blocks: blocksOf(RESPONSES, [
      `488264025885aec3771a4b6196d07abe941054d444a8200595040b8166e082a62d1bff
       6e919d29ad171863c78f0b97c8e9ae82ae43d3`.replaceAll(/\s/g, ''),
      '4883640effc1c0bf',
      `88c16196d07abe941054d444a8200595040b8166e084a62d1bffc05a839bd9ab77ad94e7821dd7f2e6c7b335dfdf
       cd5b3960d5af27087f3672c1ab270fb5291f9587316065c003ed4ee5b1063d5007`.replaceAll(/\s/g, ''),
    ]),
  },
]

describe('the examples of RFC 7541 appendix C', () => {
  for (const { title, maxTableBytes, blocks } of EXAMPLES)
    it(`decode: ${title}`, () => {
      const decoder = new HpackDecoder({ maxTableBytes, maxHeaderListBytes: 1000 })
      for (const { hex, fields } of blocks) {
        const bytes = Buffer.from(hex, 'hex')
        const told: Fields = []
        assert.equal(
          decoder.decode(bytes, 0, bytes.length, (name, value) => told.push([name, value])),
          true,
        )
        assert.deepEqual(told, fields)
      }
    })
})
