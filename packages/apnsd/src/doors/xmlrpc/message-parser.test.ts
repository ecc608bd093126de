import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ApnsdError } from '../../base/errors.ts'
import { CallReader, type MethodCall } from './call-reader.ts'
import { MAX_DEPTH, MessageParser } from './message-parser.ts'
import { Base64, DateTime, type XmlRpcValue } from './values.ts'

/** Drops what tells a struct from a plain object, so that expectations can be written down. */
function plain(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(plain)
  if (typeof value !== 'object' || value === null) return value
  if (value instanceof DateTime || value instanceof Base64) return value
  return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, plain(item)]))
}

function parse(xml: string, pieces = [xml]): MethodCall {
  const parser = new MessageParser('methodCall')
  for (const piece of pieces) parser.write(piece)
  return parser.end()
}

function callOf(value: string): string {
  return `<methodCall><methodName>m</methodName><params><param>${value}</param></params></methodCall>`
}

function parseValue(value: string): XmlRpcValue | undefined {
  return parse(callOf(value)).params[0]
}

function refusal(xml: string): string {
  try {
    parse(xml)
  } catch (thrown) {
    assert.ok(thrown instanceof ApnsdError, String(thrown))
    assert.equal(thrown.code, 'malformed-request')
    return thrown.message
  }
  return assert.fail(`was taken: ${xml.slice(0, 200)}`)
}

/** What each form of a value means. */
const VALUES: [xml: string, value: unknown][] = [
  ['<value><int>42</int></value>', 42],
  ['<value><i4>-2147483648</i4></value>', -2147483648],
  ['<value><int> +7\n</int></value>', 7],
  ['<value><int>-0</int></value>', 0],
  ['<value><i8>9007199254740991</i8></value>', 9007199254740991],
  ['<value><i8>9007199254740993</i8></value>', 9007199254740993n],
  ['<value><ex:i8>-9223372036854775808</ex:i8></value>', -9223372036854775808n],
  ['<value><boolean>1</boolean></value>', true],
  ['<value><boolean>0</boolean></value>', false],
  ['<value><string>a</string></value>', 'a'],
  ['<value><string> a\n</string></value>', ' a\n'],
  ['<value><string/></value>', ''],
  ['<value><string></string></value>', ''],
  ['<value> bare text </value>', ' bare text '],
  ['<value>  </value>', '  '],
  ['<value/>', ''],
  ['<value></value>', ''],
  ['<value>a&amp;b &lt;c&gt; &#252; &#x1F44B;</value>', 'a&b <c> ü 👋'],
  ['<value><![CDATA[<b> & ]] ]]></value>', '<b> & ]] '],
  ['<value>a<!-- b -->c<?d e?>f</value>', 'acf'],
  ['<value>\r\na\rb</value>', '\na\nb'],
  ['<value><double>2.5</double></value>', 2.5],
  ['<value><double>-1.5e3</double></value>', -1500],
  ['<value><double>.5</double></value>', 0.5],
  ['<value><double>nan</double></value>', Number.NaN],
  ['<value><double>-inf</double></value>', Number.NEGATIVE_INFINITY],
  [
    '<value><dateTime.iso8601>20231114T22:13:20</dateTime.iso8601></value>',
    new DateTime(1700000000),
  ],
  [
    '<value><dateTime.iso8601>2023-11-14T22:13:20Z</dateTime.iso8601></value>',
    new DateTime(1700000000),
  ],
  [
    '<value><base64>aGVs\nbG8=\n</base64></value>',
    new Base64(new Uint8Array(Buffer.from('hello'))),
  ],
  ['<value><nil/></value>', null],
  ['<value><nil></nil></value>', null],
  ['<value><ex:nil xmlns:ex="http://ws.apache.org/xmlrpc/namespaces/extensions"/></value>', null],
  ['<value>\n<int>1</int>\n</value>', 1],
  ['<value><array><data/></array></value>', []],
  [
    '<value><array>\n<data>\n<value>a</value> <value><array><data><value/></data></array></value></data></array></value>',
    ['a', ['']],
  ],
  ['<value><struct/></value>', {}],
  [
    '<value><struct><member><name>b</name><value>1</value></member>\n<member>\n<name> a </name>\n<value><nil/></value></member></struct></value>',
    { b: '1', ' a ': null },
  ],
  [
    '<value><struct><member><name>a</name><value>1</value></member><member><name>a</name><value>2</value></member></struct></value>',
    { a: '2' },
  ],
]

for (const [xml, value] of VALUES) {
  test(`${JSON.stringify(xml)} is read, whole, byte by byte and cut at each offset`, () => {
    const document = callOf(xml)
    assert.deepEqual(plain(parse(document).params), [value])
    assert.deepEqual(plain(parse(document, document.split('')).params), [value])
    for (let cut = 0; cut <= document.length; cut++) {
      const pieces = [document.slice(0, cut), document.slice(cut)]
      assert.deepEqual(plain(parse(document, pieces).params), [value], `cut at ${cut}`)
    }
  })
}

test('members keep their order, and any name is just data', () => {
  const names = ['z', '__proto__', 'constructor', 'a', 'toString', '']
  const members = names.map((name) => `<member><name>${name}</name><value>${name}</value></member>`)
  const struct = parseValue(`<value><struct>${members.join('')}</struct></value>`)
  assert.ok(typeof struct === 'object' && struct !== null)
  assert.deepEqual(
    Object.entries(struct),
    names.map((name) => [name, name]),
  )
  assert.equal(({} as Record<string, unknown>)['z'], undefined)
  const empty = parseValue('<value><struct/></value>') as Record<string, unknown>
  assert.equal(empty['constructor'], undefined)
  assert.equal(empty['__proto__'], undefined)
})

test('a call names its method, and params may be missing', () => {
  assert.deepEqual(parse('<methodCall><methodName> m </methodName></methodCall>').params, [])
  assert.equal(parse('<methodCall><methodName> m </methodName></methodCall>').method, 'm')
  assert.deepEqual(parse('<methodCall><methodName>m</methodName><params/></methodCall>').params, [])
})

test('a call says whether JSON can carry all of its values', () => {
  assert.equal(parse(callOf('<value><double>1.5</double></value>')).isJson, true)
  for (const foreign of [
    '<double>nan</double>',
    '<double>1e999</double>',
    '<base64/>',
    '<dateTime.iso8601>20231114T22:13:20</dateTime.iso8601>',
  ]) {
    const deep = `<value><array><data><value>${foreign}</value></data></array></value>`
    assert.equal(parse(callOf(deep)).isJson, false, foreign)
  }
})

/** What is refused, and a word of the sentence that says why. */
const REFUSED: [xml: string, why: RegExp][] = [
  ['', /root element/],
  ['   ', /root element/],
  ['hello', /text data outside of root/],
  ['<methodResponse/>', /a <methodResponse>, not a <methodCall>/],
  ['<methodCall/>', /something is missing in a <methodCall>/],
  ['<methodCall><methodName>m</methodName>', /unclosed tag/],
  ['<methodCall><params/></methodCall>', /<params> has no place in a <methodCall>/],
  ['<methodCall><methodName>m</methodName></methodCall><a/>', /one root|no place/],
  ['<methodCall><methodName>m</methodName></methodCall>x', /outside of root/],
  ['<methodCall><methodName><b/></methodName></methodCall>', /<b> has no place in a <methodName>/],
  [callOf(''), /something is missing in a <param>/],
  [callOf('<value/><value/>'), /<value> follows in a <param> that has its <value>/],
  [
    callOf('<value><int>1</int><int>2</int></value>'),
    /<int> follows in a <value> that is complete/,
  ],
  [callOf('<value>a<int>1</int></value>'), /both text and elements/],
  [callOf('<value><int>1</int>a</value>'), /text stands in a <value>/],
  [callOf('<value><float>1</float></value>'), /<float> is no type of XML-RPC/],
  [callOf('<value><x:string>1</x:string></value>'), /is no type/],
  [callOf('<value><int>2147483648</int></value>'), /outside of 32 bits/],
  [callOf('<value><i4>-2147483649</i4></value>'), /outside of 32 bits/],
  [callOf('<value><i8>9223372036854775808</i8></value>'), /outside of 64 bits/],
  [callOf(`<value><i8>${'9'.repeat(1000)}</i8></value>`), /not a whole number/],
  [callOf('<value><int></int></value>'), /not a whole number/],
  [callOf('<value><int>-</int></value>'), /not a whole number/],
  [callOf('<value><int>1.5</int></value>'), /not a whole number/],
  [callOf('<value><int>0x10</int></value>'), /not a whole number/],
  [callOf('<value><int>1 2</int></value>'), /not a whole number/],
  [callOf('<value><boolean>true</boolean></value>'), /neither 0 nor 1/],
  [callOf('<value><boolean/></value>'), /neither 0 nor 1/],
  [callOf('<value><double>1,5</double></value>'), /not a number/],
  [callOf('<value><double></double></value>'), /not a number/],
  [callOf('<value><double>.</double></value>'), /not a number/],
  [callOf('<value><dateTime.iso8601>20230230T00:00:00</dateTime.iso8601></value>'), /not a time/],
  [callOf('<value><dateTime.iso8601>20231114</dateTime.iso8601></value>'), /not a time/],
  [callOf('<value><dateTime.iso8601>20231114T24:00:00</dateTime.iso8601></value>'), /not a time/],
  [callOf('<value><base64>a</base64></value>'), /not base64/],
  [callOf('<value><base64>a*==</base64></value>'), /not base64/],
  [callOf('<value><nil>x</nil></value>'), /must be empty/],
  [callOf('<value><array></array></value>'), /missing in an <array>/],
  [callOf('<value><array><data/><data/></array></value>'), /<data> has no place/],
  [callOf('<value><array><value/></array></value>'), /<value> has no place in an <array>/],
  [callOf('<value><struct><member/></struct></value>'), /missing in a <member>/],
  [
    callOf('<value><struct><member><name>a</name></member></struct></value>'),
    /missing in a <member>/,
  ],
  [callOf('<value><struct><member><value/></member></struct></value>'), /<value> has no place/],
  [callOf('<value>&nbsp;</value>'), /undefined entity/],
  [callOf('<value>&constructor;</value>'), /undefined entity/],
  [callOf('<value>&#0;</value>'), /malformed character entity/],
  [callOf('<value>&#xD800;</value>'), /malformed character entity/],
  [callOf('<value>\u0001</value>'), /disallowed character/],
  [callOf('<value>]]></value>'), /disallowed/],
  [callOf('<value></int>'), /unexpected close tag/],
  [`<!DOCTYPE methodCall><methodCall/>`, /DOCTYPE/],
  ['<!DOCTYPE a [<!ENTITY b "c">]>', /DOCTYPE/],
  [` \n<!-- <a -->\n<?pi?><!DOCTYPE`, /DOCTYPE/],
  [`<!--${' '.repeat(5000)}`, /first 4096 characters hold no <methodCall>/],
  [`<methodCall ${Array.from({ length: 20 }, (_, i) => `a${i}=""`).join(' ')}>`, /16 attributes/],
]

for (const [xml, why] of REFUSED) {
  test(`${JSON.stringify(xml.slice(0, 90))} is refused: ${why.source}`, () => {
    const message = refusal(xml)
    assert.match(message, why)
    assert.match(message, /^Can't deserialize input: line \d+: .*\.$/)
    assert.ok(message.length < 300)
  })
}

test('a comment that speaks of a DOCTYPE is no DOCTYPE', () => {
  const xml = `<!-- <!DOCTYPE a> --><methodCall><methodName>m</methodName></methodCall>`
  assert.equal(parse(xml, xml.split('')).method, 'm')
})

test('a DOCTYPE is refused as it opens, though it never ends', () => {
  const parser = new MessageParser('methodCall')
  parser.write('<?xml version="1.0"?>\n<!DOC')
  assert.throws(() => parser.write('TYPE a ['), /DOCTYPE/)
})

test('the line of a fault is told, and nothing of the text', () => {
  const message = refusal(callOf('\n\n<value><int>secret</int></value>'))
  assert.match(message, /line 3/)
  assert.doesNotMatch(message, /secret/)
})

test('a long name out of the document is cut in the sentence', () => {
  assert.match(refusal(callOf(`<value><${'a'.repeat(10_000)}/></value>`)), /…> is no type/)
})

function nest(levels: number): string {
  return '<value><array><data>'.repeat(levels) + '</data></array></value>'.repeat(levels)
}

test('values nest as deep as the limit and no deeper', () => {
  let value = parseValue(nest(MAX_DEPTH))
  for (let level = 1; level < MAX_DEPTH; level++) value = (value as XmlRpcValue[])[0]
  assert.deepEqual(value, [])
  assert.match(refusal(callOf(nest(MAX_DEPTH + 1))), /more than 64 levels/)
  const structs = '<value><struct><member><name>a</name>'.repeat(MAX_DEPTH + 1)
  assert.match(refusal(callOf(structs)), /more than 64 levels/)
})

test('what nests too deep is refused where it does, not at its end', () => {
  const parser = new MessageParser('methodCall')
  const open = '<methodCall><methodName>m</methodName><params><param>'
  assert.throws(
    () => parser.write(open + '<value><array><data>'.repeat(MAX_DEPTH + 1)),
    /more than 64 levels/,
  )
})

test('more values than the limit are refused', () => {
  const parser = new MessageParser('methodCall')
  parser.write('<methodCall><methodName>m</methodName><params><param><value><array><data>')
  const many = '<value/>'.repeat(100_000)
  for (let i = 1; i < 10; i++) parser.write(many)
  assert.throws(() => parser.write(many), /more than 1000000 values/)
})

test('a document of any of the usual encodings is read, whole, byte by byte and cut at each offset', () => {
  const text = 'Grüße'
  const body = (encoding: string) =>
    `<?xml version="1.0"${encoding}?>${callOf(`<value>${text}</value>`)}`
  const samples: [contentType: string, bytes: Buffer][] = [
    ['text/xml', Buffer.from(body(''))],
    ['text/xml', Buffer.from(`\ufeff${body(' encoding="iso-8859-1"')}`)],
    ['text/xml', Buffer.from(body(' encoding="ISO-8859-1"'), 'latin1')],
    ['text/xml; charset=latin1', Buffer.from(body(''), 'latin1')],
    ['text/xml', Buffer.from(`\ufeff${body(' encoding="UTF-16"')}`, 'utf16le')],
    ['text/xml', Buffer.from(`\ufeff${body('')}`, 'utf16le').swap16()],
  ]
  for (const [contentType, bytes] of samples) {
    const read = (pieces: Buffer[]) => {
      const reader = new CallReader(contentType)
      for (const piece of pieces) reader.write(piece)
      return reader.end().params
    }
    assert.deepEqual(read([bytes]), [text])
    assert.deepEqual(read(Array.from(bytes, (byte) => Buffer.from([byte]))), [text])
    for (let cut = 0; cut <= bytes.length; cut++) {
      assert.deepEqual(read([bytes.subarray(0, cut), bytes.subarray(cut)]), [text], `cut at ${cut}`)
    }
  }
})
