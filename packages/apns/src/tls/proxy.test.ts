import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { type Proxy, ProxyAddressError, proxyFor, readProxy } from './proxy.ts'

const APPLE = new URL('https://api.push.apple.com')

describe('readProxy', () => {
  const addresses: [string, Proxy][] = [
    [
      'http://proxy.example.com:3128',
      { protocol: 'http', host: 'proxy.example.com', port: 3128, credentials: null },
    ],
    [
      'proxy.example.com:3128',
      { protocol: 'http', host: 'proxy.example.com', port: 3128, credentials: null },
    ],
    ['  http://10.0.0.1/ ', { protocol: 'http', host: '10.0.0.1', port: 80, credentials: null }],
    ['https://proxy', { protocol: 'https', host: 'proxy', port: 443, credentials: null }],
    ['socks5://[::1]', { protocol: 'socks5', host: '::1', port: 1080, credentials: null }],
    ['socks5h://a:1081', { protocol: 'socks5h', host: 'a', port: 1081, credentials: null }],
    [
      'http://us%40er:p%3Ass@proxy:8080',
      {
        protocol: 'http',
        host: 'proxy',
        port: 8080,
        credentials: { username: 'us@er', password: 'p:ss' },
      },
    ],
    [
      'http://user@proxy',
      {
        protocol: 'http',
        host: 'proxy',
        port: 80,
        credentials: { username: 'user', password: '' },
      },
    ],
  ]
  for (const [address, expected] of addresses)
    it(`reads ${address.trim()}`, () => assert.deepEqual(readProxy(address), expected))

  for (const address of [
    '',
    'http://',
    'ftp://proxy',
    'socks4://proxy',
    'http://pro xy',
    'http://a:99999',
    'http://secret%:x@proxy',
  ])
    it(`refuses ${address || 'nothing'}, without showing a secret`, () => {
      assert.throws(
        () => readProxy(address),
        (error) => error instanceof ProxyAddressError && !error.message.includes('secret'),
      )
    })
})

describe('proxyFor', () => {
  const hostFor = (environment: Record<string, string>, url = APPLE): string | null =>
    proxyFor(url, environment)?.host ?? null

  it('goes by https_proxy, then all_proxy, in lower case before upper', () => {
    assert.equal(hostFor({}), null)
    assert.equal(hostFor({ http_proxy: 'http://plain' }), null)
    assert.equal(hostFor({ ALL_PROXY: 'socks5://all' }), 'all')
    assert.equal(hostFor({ ALL_PROXY: 'socks5://all', HTTPS_PROXY: 'http://upper' }), 'upper')
    assert.equal(hostFor({ HTTPS_PROXY: 'http://upper', https_proxy: 'http://lower' }), 'lower')
    assert.equal(hostFor({ https_proxy: '', HTTPS_PROXY: 'http://upper' }), 'upper')
  })

  const exceptions: [string, string, boolean][] = [
    ['*', 'https://api.push.apple.com', true],
    ['apple.com', 'https://api.push.apple.com', true],
    ['.apple.com', 'https://api.push.apple.com', true],
    ['.apple.com', 'https://apple.com', true],
    ['pple.com', 'https://api.push.apple.com', false],
    ['APPLE.COM', 'https://api.push.apple.com', true],
    ['localhost, apple.com', 'https://api.push.apple.com', true],
    ['a b apple.com', 'https://api.push.apple.com', true],
    ['api.push.apple.com:443', 'https://api.push.apple.com', true],
    ['api.push.apple.com:2197', 'https://api.push.apple.com', false],
    ['api.push.apple.com:2197', 'https://api.push.apple.com:2197', true],
    ['17.0.0.0/8', 'https://17.188.1.1', true],
    ['17.0.0.0/8', 'https://18.188.1.1', false],
    ['17.0.0.0/99', 'https://17.188.1.1', false],
    ['10.0.0.1', 'https://10.0.0.1:8443', true],
    ['0.0.1', 'https://10.0.0.1', false],
    ['fd12::1', 'https://[fd12::1]:8443', true],
    ['[fd12::1]:8443', 'https://[fd12::1]:8443', true],
    ['', 'https://127.0.0.1:8443', true],
    ['', 'https://[::1]:8443', true],
    ['', 'https://localhost:8443', true],
    ['fd00::/8', 'https://[fd12::1]', true],
    ['FD12:0:0::1', 'https://[fd12::1]', true],
    ['fd12::2', 'https://[fd12::1]', false],
    ['apple.com', 'https://api.push.apple.com.', true],
    ['apple.com.', 'https://api.push.apple.com', true],
    ['fd00::/8', 'https://17.188.1.1', false],
    ['', 'https://api.push.apple.com', false],
    [',', 'https://api.push.apple.com', false],
  ]
  for (const [list, url, isExcepted] of exceptions)
    it(`no_proxy ${list || 'left empty'} ${isExcepted ? 'excepts' : 'does not except'} ${url}`, () => {
      const environment = { https_proxy: 'http://proxy', no_proxy: list }
      assert.equal(hostFor(environment, new URL(url)), isExcepted ? null : 'proxy')
    })
})
