import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, afterEach, before, beforeEach, describe, it } from 'node:test'
import { ApnsdCommand, runApnsd } from '../support/apnsd-command.ts'
import { runScript } from '../support/script.ts'
import { missing } from '../support/system-parts.ts'

const STEP = /^(\d+)\. \S/gm

/** The numbers of the steps whose titles were printed. */
const stepsIn = (printed: string): number[] =>
  [...printed.matchAll(STEP)].map(([, number]) => Number(number))

const countFrom1 = (length: number): number[] => Array.from({ length }, (_, index) => index + 1)

// how it looks is not what is tested here: only step titles, the commands and what they lead to
describe('apnsd demo --once', () => {
  let folder = ''
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'apnsd-test-'))
  })
  afterEach(() => rmSync(folder, { recursive: true, force: true }))

  it('shows each step, exits with 0 and leaves nothing behind', async () => {
    const { exitCode, stdout, stderr } = await runApnsd(['demo', '--once'], {
      env: { TMPDIR: folder, NO_COLOR: '1' },
    })
    assert.equal(exitCode, 0, stderr)
    assert.equal(stderr, '')
    const steps = stepsIn(stdout)
    assert.ok(steps.length >= 6, stdout)
    assert.deepEqual(steps, countFrom1(steps.length))
    for (const word of ['provision(', 'notify(', 'feedback(', 'accepted', 'Unregistered'])
      assert.ok(stdout.includes(word), word)
    assert.doesNotMatch(stdout, /Ctrl-C/)
    assert.deepEqual(readdirSync(folder), [])
  })

  it('leaves nothing running and nothing behind when it is interrupted', async () => {
    const demo = ApnsdCommand.start(['demo', '--once'], { env: { TMPDIR: folder, NO_COLOR: '1' } })
    await demo.waitForOutput(/^3\. /m)
    assert.equal(await demo.end('SIGINT'), 130)
    assert.deepEqual(readdirSync(folder), [])
  })
})

describe('apnsd demo', () => {
  let folder = ''
  let demo: ApnsdCommand
  let commands: string[] = []
  before(async () => {
    folder = mkdtempSync(join(tmpdir(), 'apnsd-test-'))
    mkdirSync(join(folder, 'tmp'))
    demo = ApnsdCommand.start(['demo'], { env: { TMPDIR: join(folder, 'tmp'), NO_COLOR: '1' } })
    await demo.waitForOutput(/Ctrl-C.*\n/)
    commands = [...demo.stdout.matchAll(/^ {3}# .*\n *(.+)$/gm)].map(([, command]) => command ?? '')
  })
  after(async () => {
    // once it has ended this does nothing; SIGKILL would leave its daemon behind
    await demo.end('SIGINT')
    rmSync(folder, { recursive: true, force: true })
  })

  const programOf = (command: string): string => command.split(' ', 1)[0] ?? ''

  it('stays up after the last step, with commands to paste', () => {
    const steps = stepsIn(demo.stdout)
    assert.deepEqual(steps, countFrom1(steps.length))
    assert.deepEqual([...new Set(commands.map(programOf))], ['python3', 'ruby', 'curl'])
  })

  for (const program of ['python3', 'ruby', 'curl'] as const)
    it(`prints ${program} commands that work as they stand, and shows what arrives`, {
      skip: missing(program),
    }, async () => {
      const mine = commands.filter((command) => programOf(command) === program)
      assert.ok(mine.length > 0)
      for (const command of mine) {
        const [, alert] = /\b(from (?:Python|Ruby|curl))\b/.exec(command) ?? []
        const printedBefore = demo.stdout.length
        const answer = await runScript('sh', ['-c', command])
        assert.doesNotMatch(answer, /<fault>|urn:apnsd:error|"error"/, command)
        if (alert !== undefined) await demo.waitForOutput(new RegExp(alert), printedBefore)
        else assert.doesNotThrow(() => JSON.parse(answer), command)
      }
      assert.ok(mine.some((command) => /\bfrom (?:Python|Ruby|curl)\b/.test(command)))
    })

  it('ends at SIGINT with exit code 0: its daemon and its folder are gone', async () => {
    const [, url] = /(http:\/\/127\.0\.0\.1:\d+)\/v1\/apps/.exec(commands.join('\n')) ?? []
    assert.ok(url !== undefined)
    assert.equal((await fetch(`${url}/healthz`)).status, 200)
    assert.equal(readdirSync(join(folder, 'tmp')).length, 1)
    assert.equal(await demo.end('SIGINT'), 0)
    assert.equal(demo.stderr, '')
    assert.deepEqual(readdirSync(join(folder, 'tmp')), [])
    await assert.rejects(fetch(`${url}/healthz`))
  })
})
