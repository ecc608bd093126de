import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { Stage } from '../support/stage.ts'

describe('GET /readyz', () => {
  let stage: Stage
  before(async () => {
    stage = await Stage.open()
  })
  after(() => stage.close())

  it('is 200 while the daemon can take and send', async () => {
    const response = await fetch(`${stage.daemon.url}/readyz`)
    assert.equal(response.status, 200)
    const view = (await response.json()) as { status: string; problems: unknown[] }
    assert.equal(view.status, 'ready')
    assert.deepEqual(view.problems, [])
  })
})
