import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ApnsdError } from '../../base/errors.ts'
import { DocumentDecoder } from './text-decoding.ts'

function decode(contentType: string | undefined, pieces: Buffer[]): string {
  const decoder = new DocumentDecoder(contentType)
  return pieces.map((piece) => decoder.decode(piece)).join('') + decoder.end()
}

const bytesOf = (...bytes: number[]) => Buffer.from(bytes)
const TEXT = 'a ü € 👋 \u{10ffff}'
const declare = (encoding: string) => `<?xml version="1.0" encoding="${encoding}"?>`

/** Bytes, the Content-Type they come with, and the text that they are. */
const SAMPLES: [name: string, contentType: string | undefined, bytes: Buffer, text: string][] = [
  ['nothing at all', undefined, Buffer.alloc(0), ''],
  ['a single byte', undefined, Buffer.from('a'), 'a'],
  ['UTF-8 by default', undefined, Buffer.from(TEXT), TEXT],
  ['UTF-8 of a type without charset', 'text/xml', Buffer.from(TEXT), TEXT],
  [
    'a declaration without an encoding',
    undefined,
    Buffer.from('<?xml version="1.0"?>ü'),
    '<?xml version="1.0"?>ü',
  ],
  [
    'a declaration that does not end',
    undefined,
    Buffer.from('<?xml version="1.0" '),
    '<?xml version="1.0" ',
  ],
  ['a mark of UTF-8', undefined, Buffer.from(`\ufeff${TEXT}`), TEXT],
  ['what only begins like a mark', undefined, bytesOf(0xef, 0xbb, 0xbb), '\ufefb'],
  ['a mark of UTF-16LE', undefined, Buffer.from(`\ufeff${TEXT}`, 'utf16le'), TEXT],
  ['a mark of UTF-16BE', undefined, Buffer.from(`\ufeff${TEXT}`, 'utf16le').swap16(), TEXT],
  ['a mark over a charset', 'text/xml; charset=latin1', Buffer.from(`\ufeff${TEXT}`), TEXT],
  [
    'a charset over a declaration',
    'text/xml; charset=UTF-8',
    Buffer.from(`${declare('latin1')}ü`),
    `${declare('latin1')}ü`,
  ],
  ['a charset in quotes', 'text/xml;  Charset = "ISO-8859-1"; a=b', bytesOf(0xe4), 'ä'],
  ['an empty charset', 'text/xml; charset=""', Buffer.from('ü'), 'ü'],
  [
    'a declaration',
    undefined,
    Buffer.from(`${declare('iso-8859-1')}ü`, 'latin1'),
    `${declare('iso-8859-1')}ü`,
  ],
  [
    'true Latin-1, where 0x80 is a control character',
    'text/xml; charset=iso-8859-1',
    bytesOf(0x80, 0xff),
    '\u0080ÿ',
  ],
  ['US-ASCII', 'text/xml; charset=US-ASCII', Buffer.from('abc'), 'abc'],
  [
    'UTF-16 that its charset tells, big endian',
    'text/xml; charset=utf-16',
    Buffer.from(TEXT, 'utf16le').swap16(),
    TEXT,
  ],
  [
    'UTF-16 that its first < tells',
    'text/xml; charset=utf-16',
    Buffer.from(`<a>${TEXT}`, 'utf16le'),
    `<a>${TEXT}`,
  ],
  ['UTF-16LE by its charset', 'text/xml; charset=utf-16le', Buffer.from(TEXT, 'utf16le'), TEXT],
  [
    'UTF-16BE by its charset',
    'text/xml; charset=UTF-16BE',
    Buffer.from(TEXT, 'utf16le').swap16(),
    TEXT,
  ],
  ['UTF-16 without a word about it', undefined, Buffer.from(`<a>${TEXT}`, 'utf16le'), `<a>${TEXT}`],
  [
    'UTF-16BE without a word about it',
    undefined,
    Buffer.from(`<a>${TEXT}`, 'utf16le').swap16(),
    `<a>${TEXT}`,
  ],
  ['windows-1252', 'text/xml; charset=windows-1252', bytesOf(0x80), '€'],
  ['Shift_JIS', 'text/xml; charset=shift_jis', bytesOf(0x83, 0x65, 0x83, 0x58), 'テス'],
]

for (const [name, contentType, bytes, text] of SAMPLES) {
  test(`decodes ${name}, whole, byte by byte and cut at each offset`, () => {
    assert.equal(decode(contentType, [bytes]), text)
    assert.equal(
      decode(
        contentType,
        Array.from(bytes, (byte) => bytesOf(byte)),
      ),
      text,
    )
    for (let cut = 0; cut <= bytes.length; cut++) {
      assert.equal(decode(contentType, [bytes.subarray(0, cut), bytes.subarray(cut)]), text)
    }
  })
}

/** Bytes that are refused, whole and byte by byte. */
const REFUSED: [name: string, contentType: string | undefined, bytes: Buffer, why: RegExp][] = [
  ['a byte that UTF-8 never has', undefined, bytesOf(0x61, 0xff), /not UTF-8/],
  ['a character that is cut off', undefined, bytesOf(0x61, 0xe2, 0x82), /not UTF-8/],
  ['a cut character before another', undefined, bytesOf(0xe2, 0x82, 0x61), /not UTF-8/],
  ['a continuation without a start', undefined, bytesOf(0x61, 0x80, 0x80, 0x80, 0x80), /not UTF-8/],
  ['a longer form than needed', undefined, bytesOf(0x61, 0xc0, 0x80), /not UTF-8/],
  ['a surrogate in UTF-8', undefined, bytesOf(0x61, 0xed, 0xa0, 0x80), /not UTF-8/],
  ['what is past U+10FFFF', undefined, bytesOf(0x61, 0xf4, 0x90, 0x80, 0x80), /not UTF-8/],
  [
    'Latin-1 that claims to be UTF-8',
    'text/xml; charset=utf-8',
    Buffer.from('Grüße', 'latin1'),
    /not UTF-8/,
  ],
  ['more than US-ASCII', 'text/xml; charset=us-ascii', Buffer.from('ü'), /not US-ASCII/],
  ['half a unit of UTF-16', 'text/xml; charset=utf-16le', bytesOf(0x61, 0, 0x61), /not UTF-16/],
  [
    'half a pair of UTF-16 at the end',
    'a; charset=utf-16le',
    bytesOf(0x61, 0, 0x3d, 0xd8),
    /not UTF-16/,
  ],
  [
    'half a pair of UTF-16 inside',
    'a; charset=utf-16be',
    bytesOf(0xd8, 0x3d, 0, 0x61),
    /not UTF-16/,
  ],
  ['the other half alone', 'a; charset=utf-16be', bytesOf(0xdc, 0, 0, 0x61), /not UTF-16/],
  ['an unknown charset', 'text/xml; charset=klingon', Buffer.from('abc'), /not known/],
  ['an unknown declaration', undefined, Buffer.from(declare('klingon')), /not known/],
  [
    'a declaration that its own bytes belie',
    undefined,
    Buffer.from(declare('UTF-16')),
    /says UTF-16/,
  ],
  ['malformed Shift_JIS', 'text/xml; charset=shift_jis', bytesOf(0x83, 0xff), /not shift_jis/],
]

function isOurs(why: RegExp): (thrown: unknown) => boolean {
  return (thrown) =>
    thrown instanceof ApnsdError && thrown.code === 'malformed-request' && why.test(thrown.message)
}

for (const [name, contentType, bytes, why] of REFUSED) {
  test(`refuses ${name}`, () => {
    assert.throws(() => decode(contentType, [bytes]), isOurs(why))
    assert.throws(
      () =>
        decode(
          contentType,
          Array.from(bytes, (byte) => bytesOf(byte)),
        ),
      isOurs(why),
    )
  })
}
