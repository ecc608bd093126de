import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { ApnsdError } from '../base/errors.ts'
import { createLog } from '../base/log.ts'
import { createHttpServer } from './http-server.ts'

describe('problem details', () => {
  it('say in Retry-After when the same call is worth another try, where that is known', async () => {
    const server = createHttpServer(createLog('silent'))
    server.get('/full', async () => {
      throw new ApnsdError('storage-failed', 'The disk is full.', { retryAfterS: 10 })
    })
    server.get('/damaged', async () => {
      throw new ApnsdError('storage-failed', 'The file is damaged.')
    })
    const full = await server.inject('/full')
    assert.equal(full.statusCode, 503)
    assert.equal(full.headers['retry-after'], '10')
    assert.equal(full.json<{ code: string }>().code, 'storage-failed')
    const damaged = await server.inject('/damaged')
    assert.equal(damaged.statusCode, 503)
    assert.equal(damaged.headers['retry-after'], undefined)
    await server.close()
  })
})
