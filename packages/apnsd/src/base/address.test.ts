import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { isLoopback, parseAddress } from './address.ts'
import { ApnsdError } from './errors.ts'

describe('parseAddress', () => {
  it('reads host and port, IPv6 in brackets', () => {
    assert.deepEqual(parseAddress('127.0.0.1:7077'), { host: '127.0.0.1', port: 7077 })
    assert.deepEqual(parseAddress('[::1]:0'), { host: '::1', port: 0 })
    assert.deepEqual(parseAddress('localhost:1'), { host: 'localhost', port: 1 })
  })

  it('refuses what is none', () => {
    for (const text of ['', '7077', 'host', 'host:', ':7077', '::1:7077', 'host:70777', 'host:7x'])
      assert.throws(() => parseAddress(text), ApnsdError, text)
  })
})

describe('isLoopback', () => {
  it('knows what only this machine can reach', () => {
    assert.deepEqual(['127.0.0.1', '127.8.8.8', '::1', 'localhost'].map(isLoopback), [
      true,
      true,
      true,
      true,
    ])
    assert.deepEqual(['0.0.0.0', '::', '10.0.0.1', '127.example.com'].map(isLoopback), [
      false,
      false,
      false,
      false,
    ])
  })
})
