import assert from 'node:assert/strict'
import { after, before, beforeEach, describe, it } from 'node:test'
import { DateTime } from '../../packages/apnsd/src/doors/xmlrpc/values.ts'
import { runApnsd } from '../support/apnsd-command.ts'
import { runScript } from '../support/script.ts'
import { Stage } from '../support/stage.ts'
import { missing } from '../support/system-parts.ts'

const GONE = '0a'.repeat(32)
const LATER = '0b'.repeat(32)
const SUSPECT = '0c'.repeat(32)
const ALIVE = '0d'.repeat(32)
const SINCE_MS = Date.UTC(2026, 0, 2, 3, 4, 5)
const payload = { aps: { alert: 'hi' } }

interface Entry {
  readonly token: string
  readonly suspect: boolean
  readonly recordedAt: string
}

interface Page {
  readonly feedback: Entry[]
  readonly next: string | null
  readonly more: boolean
}

describe('feedback', () => {
  let stage: Stage
  let sent = 0
  before(async () => {
    stage = await Stage.open()
    for (const appId of ['myapp', 'other']) await stage.provision(appId)
  })
  after(() => stage.close())
  beforeEach(() => {
    stage.simulator.play({
      rules: [
        {
          match: { deviceToken: SUSPECT },
          do: { type: 'reject', reason: 'BadDeviceToken' },
        },
        {
          match: { deviceToken: GONE },
          do: { type: 'reject', reason: 'Unregistered', timestampMs: SINCE_MS },
        },
        { match: { deviceToken: LATER }, do: { type: 'reject', reason: 'ExpiredToken' } },
      ],
    })
  })

  /** Notifies one device after the other, and waits until each outcome is written down. */
  async function notify(...deviceTokens: string[]): Promise<void> {
    for (const deviceToken of deviceTokens) {
      await stage.call('notify', 'myapp', deviceToken, payload)
      sent += 1
      const answer = (await stage.simulator.waitForAnswers(sent)).at(-1)
      await stage.outcome(answer?.apnsId ?? '')
    }
  }

  async function read(query = ''): Promise<Page> {
    const response = await fetch(`${stage.daemon.url}/v1/apps/myapp/feedback${query}`)
    assert.equal(response.status, 200)
    return (await response.json()) as Page
  }

  const tokensOf = (page: Page) => page.feedback.map(({ token }) => token)

  it('has nothing at first, and no cursor', async () => {
    assert.deepEqual(await read(), { feedback: [], next: null, more: false })
    const { stdout, exitCode } = await runApnsd(['feedback', 'myapp', '--url', stage.daemon.url])
    assert.equal(stdout.trim().split('\n').length, 1)
    assert.equal(exitCode, 0)
  })

  it('REST reads by cursor, suspects marked, over a restart, and takes nothing from XML-RPC', async () => {
    await notify(GONE, SUSPECT, ALIVE, LATER)
    const first = await read('?limit=1')
    assert.deepEqual([tokensOf(first), first.more], [[GONE], true])
    assert.equal(await stage.daemon.stop(), 0)
    await stage.startDaemon()
    const rest = await read(`?after=${first.next}`)
    assert.deepEqual(
      rest.feedback.map(({ token, suspect }) => [token, suspect]),
      [
        [SUSPECT, true],
        [LATER, false],
      ],
    )
    assert.equal(rest.more, false)
    const idle = await read(`?after=${rest.next}`)
    assert.deepEqual(idle, { feedback: [], next: rest.next, more: false })
    assert.deepEqual(
      await read(),
      await read('?limit=1000'),
      'reading from the beginning again gives the same',
    )
    const handedOut = (await stage.call('feedback', 'myapp')) as [DateTime, string][]
    assert.deepEqual(
      handedOut.map(([, token]) => token),
      [GONE, LATER],
    )
    assert.deepEqual(handedOut[0]?.[0], new DateTime(SINCE_MS / 1000))
    assert.deepEqual(await stage.call('feedback', 'myapp'), [])
    assert.deepEqual(tokensOf(await read()), [GONE, SUSPECT, LATER])
  })

  it('an answer lost on the way can be asked for again, by the time since when', async () => {
    const [entry] = (await read()).feedback
    const recordedS = Math.floor(Date.parse(entry?.recordedAt ?? '') / 1000)
    const again = await stage.call('feedback', 'myapp', new DateTime(recordedS))
    assert.deepEqual(
      (again as [DateTime, string][]).map(([, token]) => token),
      [GONE, LATER],
    )
    const future = new DateTime(Math.floor(Date.now() / 1000) + 3600)
    assert.deepEqual(await stage.call('feedback', 'myapp', future), [])
  })

  it('Python’s client asks since a time with its own DateTime', {
    skip: missing('python3'),
  }, async () => {
    const script =
      'import sys, datetime, xmlrpc.client as x\n' +
      'since = datetime.datetime(2020, 1, 1)\n' +
      'print(len(x.ServerProxy(sys.argv[1], use_builtin_types=True).feedback("myapp", since)))'
    assert.equal((await runScript('python3', ['-c', script, stage.daemon.url])).trim(), '2')
  })

  it('hands a device token out again when Apple has said so again', async () => {
    await notify(GONE)
    const handedOut = (await stage.call('feedback', 'myapp')) as [DateTime, string][]
    assert.deepEqual(
      handedOut.map(([, token]) => token),
      [GONE],
    )
    assert.deepEqual(tokensOf(await read()), [SUSPECT, LATER, GONE])
  })

  it('says what is wrong with a cursor, a limit, a parameter or an app', async () => {
    const { next } = await read()
    const foreign = Buffer.from('feedback 999999 myapp').toString('base64url')
    for (const [path, status, detail] of [
      ['myapp/feedback?after=nonsense', 400, /^The cursor is none of this call’s\.$/],
      ['myapp/feedback?after=', 400, /^The cursor is none of this call’s\.$/],
      [`myapp/feedback?after=${next}=`, 400, /^The cursor is none of this call’s\.$/],
      [`other/feedback?after=${next}`, 400, /^The cursor belongs to another app\.$/],
      [`myapp/feedback?after=${foreign}`, 400, /^The cursor is of another data folder\.$/],
      ['myapp/feedback?limit=0', 400, /^A limit is 1 to 1000\.$/],
      ['myapp/feedback?limit=1001', 400, /^A limit is 1 to 1000\.$/],
      ['myapp/feedback?limit=ten', 400, /^\/limit /],
      ['myapp/feedback?before=1', 400, /^The query .*: before\.$/],
      ['nobody/feedback', 404, /has not been provisioned/],
    ] as const) {
      const response = await fetch(`${stage.daemon.url}/v1/apps/${path}`)
      const problem = (await response.json()) as { detail: string }
      assert.equal(response.status, status, path)
      assert.match(problem.detail, detail, path)
    }
  })

  describe('apnsd feedback', () => {
    const run = (...args: string[]) =>
      runApnsd(['feedback', ...args], { env: { APNSD_URL: stage.daemon.url } })

    it('prints columns, and where to go on', async () => {
      const { stdout, stderr, exitCode } = await run('myapp', '--limit', '2')
      const [heading, suspect, dead] = stdout.split('\n')
      assert.match(heading ?? '', /^RECORDED +SINCE +STATUS +REASON +VERDICT +DEVICE TOKEN$/)
      assert.match(suspect ?? '', new RegExp(` 400 +BadDeviceToken +suspect +${SUSPECT}$`))
      assert.match(dead ?? '', new RegExp(` 410 +ExpiredToken +dead +${LATER}$`))
      const [, cursor = ''] = /^there is more: --after (\S+)\n$/.exec(stderr) ?? []
      assert.equal(exitCode, 0)
      const rest = await run('myapp', '--after', cursor)
      assert.match(rest.stdout, new RegExp(`\\n.*${GONE}\\n$`))
      assert.match(rest.stderr, /^what comes later: --after \S+\n$/)
    })

    it('prints the daemon’s answer with --json', async () => {
      const { stdout } = await run('myapp', '--json')
      assert.deepEqual(JSON.parse(stdout), await read())
    })

    it('ends with the exit codes of the catalogue, and a sentence', async () => {
      for (const [args, exitCode, sentence] of [
        [['nobody'], 4, /^apnsd: The app_id specified has not been provisioned\./],
        [['myapp', '--after', 'x'], 2, /^apnsd: The cursor is none of this call’s\. /],
        [['myapp', '--url', 'http://127.0.0.1:1'], 6, /^apnsd: No daemon answers at /],
        [['myapp', '--url', stage.simulator.controlUrl ?? ''], 6, /is no apnsd that/],
        [['myapp', '--url', 'ftp://there'], 2, /^apnsd: ftp:\/\/there is not the URL/],
      ] as const) {
        const ended = await run(...args)
        assert.match(ended.stderr, sentence)
        assert.deepEqual([ended.exitCode, ended.stdout], [exitCode, ''])
      }
    })
  })
})
