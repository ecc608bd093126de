/**
 * Documents as `xmlrpc.client.dumps` of Python 3.11 writes them, of every type that it knows, read over a real socket.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { CallReader } from '../../packages/apnsd/src/doors/xmlrpc/call-reader.ts'
import { parseResponse } from '../../packages/apnsd/src/doors/xmlrpc/parse-response.ts'
import { startDoor } from '../../packages/apnsd/src/doors/xmlrpc/testing/start-door.ts'
import { Base64, DateTime } from '../../packages/apnsd/src/doors/xmlrpc/values.ts'

/** notify('shop', ['ab'], [{'aps': …, 'k': [1, -2.5, True, None, '', 1e100], 'e': {}, 'l': []}]), allow_none=True */
const NOTIFY = `<?xml version='1.0'?>
<methodCall>
<methodName>notify</methodName>
<params>
<param>
<value><string>shop</string></value>
</param>
<param>
<value><array><data>
<value><string>ab</string></value>
</data></array></value>
</param>
<param>
<value><array><data>
<value><struct>
<member>
<name>aps</name>
<value><struct>
<member>
<name>alert</name>
<value><string>Grüße 👋 &amp; &lt;b&gt; ]]&gt;
</string></value>
</member>
<member>
<name>badge</name>
<value><int>0</int></value>
</member>
</struct></value>
</member>
<member>
<name>k</name>
<value><array><data>
<value><int>1</int></value>
<value><double>-2.5</double></value>
<value><boolean>1</boolean></value>
<value><nil/></value><value><string></string></value>
<value><double>1e+100</double></value>
</data></array></value>
</member>
<member>
<name>e</name>
<value><struct>
</struct></value>
</member>
<member>
<name>l</name>
<value><array><data>
</data></array></value>
</member>
</struct></value>
</data></array></value>
</param>
</params>
</methodCall>
`

/** m(datetime(2023, 11, 14, 22, 13, 20), Binary(b'\\0\\xffhello' * 9), nan, inf, -0.0, -1e-7) */
const TYPES = `<?xml version='1.0'?>
<methodCall>
<methodName>m</methodName>
<params>
<param>
<value><dateTime.iso8601>20231114T22:13:20</dateTime.iso8601></value>
</param>
<param>
<value><base64>
AP9oZWxsbwD/aGVsbG8A/2hlbGxvAP9oZWxsbwD/aGVsbG8A/2hlbGxvAP9oZWxsbwD/aGVsbG8A
/2hlbGxv
</base64></value>
</param>
<param>
<value><double>nan</double></value>
</param>
<param>
<value><double>inf</double></value>
</param>
<param>
<value><double>-0.0</double></value>
</param>
<param>
<value><double>-1e-07</double></value>
</param>
</params>
</methodCall>
`

test('a notify of Python reaches the provider as it was', async (t) => {
  const door = await startDoor(t)
  door.provider.apps.add('shop')
  const client = await door.connect()
  await client.post(NOTIFY, ['Content-Type: text/xml', 'User-Agent: Python-xmlrpc/3.11'])
  assert.equal(parseResponse((await client.readResponse()).body), null)
  const [call] = door.provider.calls
  assert.ok(call?.use === 'notify')
  assert.equal(call.appId, 'shop')
  assert.equal(
    JSON.stringify(call.requests),
    JSON.stringify([
      {
        deviceToken: 'ab',
        payload: {
          aps: { alert: 'Grüße 👋 & <b> ]]>\n', badge: 0 },
          k: [1, -2.5, true, null, '', 1e100],
          e: {},
          l: [],
        },
      },
    ]),
  )
})

test('the types that only Python sends are read', () => {
  const reader = new CallReader('text/xml')
  reader.write(Buffer.from(TYPES))
  const bytes = new Uint8Array(Buffer.from('\0\xffhello'.repeat(9), 'latin1'))
  const { params, isJson } = reader.end()
  assert.deepStrictEqual(params, [
    new DateTime(1700000000),
    new Base64(bytes),
    Number.NaN,
    Number.POSITIVE_INFINITY,
    -0,
    -1e-7,
  ])
  assert.equal(isJson, false)
})
