import assert from 'node:assert/strict'
import {
  mkdirSync,
  mkdtempSync,
  renameSync,
  rmSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, it } from 'node:test'
import type { Credential } from '@apnsd/apns'
import { ApnsdError } from '../base/errors.ts'
import { type App, DEFAULT_POLICY } from '../core/apps/app.ts'
import { CredentialFileWatch, type CredentialFileWatchParts } from './credential-file-watch.ts'
import { readCredentialFile } from './credential-files.ts'
import { watchFolder } from './watch-folder.ts'

const NEVER_MS = 2 ** 30

let folder = ''
let apps: App[] = []
let watch: CredentialFileWatch
/** What was handed in and what was complained of, in order: `app content`, `app: problem`. */
let events: string[] = []
let wake: () => void = () => undefined

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'apnsd-watch-'))
  events = []
  apps = []
})
afterEach(() => {
  watch.stop()
  rmSync(folder, { recursive: true })
})

const pathOf = (name: string) => join(folder, name)
const happen = (event: string) => {
  events.push(event)
  wake()
}

/** Waits until something has happened that fits. */
async function until(event: string): Promise<void> {
  while (!events.includes(event))
    await new Promise<void>((resolve) => {
      wake = resolve
    })
}

function provision(id: string, credentialFile?: string): void {
  apps = apps.filter((app) => app.id !== id)
  apps.push({
    ...{ id, environment: 'sandbox', topic: 'com.example.a', connectTimeoutS: 15 },
    policy: DEFAULT_POLICY,
    ...{ reachedAtMs: null, credential: {} as Credential },
    ...(credentialFile === undefined ? {} : { credentialFile }),
  })
}

const complain = (fields: unknown) => {
  const { app, problem } = fields as { app: string; problem: string }
  happen(`${app}: ${problem.replace(folder, '')}`)
}
const nothing = () => undefined

function start(parts: Partial<CredentialFileWatchParts> = {}): void {
  watch = new CredentialFileWatch({
    listApps: () => apps,
    read: readCredentialFile,
    renew: async (appId, _path, file) => {
      const text = Buffer.from(file).toString()
      if (text.startsWith('bad')) throw new ApnsdError('key-missing', `It is ${text}.`)
      happen(`${appId} ${text}`)
    },
    log: { debug: nothing, info: nothing, warn: complain, error: complain },
    watchFolder,
    pollMs: NEVER_MS,
    ...parts,
  })
  watch.start()
}

describe('a credential file is read again', () => {
  it('when the daemon starts, for apps that have one', async () => {
    writeFileSync(pathOf('a.pem'), '1')
    provision('a', pathOf('a.pem'))
    provision('inline')
    start()
    await until('a 1')
    assert.deepEqual(events, ['a 1'])
  })

  it('when another is renamed over it', async () => {
    writeFileSync(pathOf('a.pem'), '1')
    provision('a', pathOf('a.pem'))
    start()
    await until('a 1')
    writeFileSync(pathOf('a.pem.new'), '2')
    renameSync(pathOf('a.pem.new'), pathOf('a.pem'))
    await until('a 2')
  })

  it('when it is written in place', async () => {
    writeFileSync(pathOf('a.pem'), '1')
    provision('a', pathOf('a.pem'))
    start()
    await until('a 1')
    writeFileSync(pathOf('a.pem'), '2')
    await until('a 2')
  })

  it('when a link on the way is switched, as Kubernetes does, time and again', async () => {
    const put = (version: string) => {
      mkdirSync(pathOf(`..${version}`))
      writeFileSync(join(pathOf(`..${version}`), 'a.pem'), version)
      symlinkSync(`..${version}`, pathOf('..data_tmp'))
      renameSync(pathOf('..data_tmp'), pathOf('..data'))
    }
    put('v1')
    symlinkSync(join('..data', 'a.pem'), pathOf('a.pem'))
    provision('a', pathOf('a.pem'))
    start()
    await until('a v1')
    put('v2')
    await until('a v2')
    put('v3')
    await until('a v3')
  })

  it('every so often, where the folder tells nothing', async () => {
    writeFileSync(pathOf('a.pem'), '1')
    provision('a', pathOf('a.pem'))
    start({ watchFolder: () => null, pollMs: 1 })
    await until('a 1')
    writeFileSync(pathOf('a.pem'), '2')
    await until('a 2')
  })

  it('after its folder was not there, or was another', async () => {
    provision('a', join(pathOf('sub'), 'a.pem'))
    start({ pollMs: 1 })
    await until('a: The file /sub/a.pem is not there.')
    mkdirSync(pathOf('sub'))
    writeFileSync(join(pathOf('sub'), 'a.pem'), '1')
    await until('a 1')
    rmSync(pathOf('sub'), { recursive: true })
    mkdirSync(pathOf('sub'))
    writeFileSync(join(pathOf('sub'), 'a.pem'), '2')
    await until('a 2')
  })

  it('once more, where it has changed while it was read', async (t) => {
    t.mock.timers.enable({ apis: ['setTimeout'] })
    provision('a', pathOf('a.pem'))
    const { promise, resolve } = Promise.withResolvers<Buffer>()
    let reads = 0
    start({
      read: () => {
        reads += 1
        return reads === 1 ? promise : Promise.resolve(Buffer.from('new'))
      },
      watchFolder: (_folder, onChange) => {
        onChange()
        return { close: nothing }
      },
    })
    t.mock.timers.tick(1000)
    resolve(Buffer.from('old'))
    await until('a new')
    assert.deepEqual(events, ['a old', 'a new'])
  })

  it('and handed in only when its content has changed', async () => {
    writeFileSync(pathOf('a.pem'), '1')
    provision('a', pathOf('a.pem'))
    let reads = 0
    const counted = async (path: string) => {
      reads += 1
      if (reads === 20) happen('read twenty times')
      return readCredentialFile(path)
    }
    start({ read: counted, pollMs: 1 })
    await until('read twenty times')
    assert.deepEqual(events, ['a 1', 'read twenty times'])
  })
})

describe('a credential file that cannot be used', () => {
  it('is complained of once for each content, until it is good again', async () => {
    writeFileSync(pathOf('a.pem'), '1')
    provision('a', pathOf('a.pem'))
    start({ pollMs: 1 })
    await until('a 1')
    assert.equal(watch.problemOf('a'), undefined)
    const replace = (text: string) => {
      writeFileSync(pathOf('new'), text)
      renameSync(pathOf('new'), pathOf('a.pem'))
    }
    replace('bad')
    await until('a: It is bad.')
    assert.equal(watch.problemOf('a'), 'It is bad.')
    replace('bad still')
    await until('a: It is bad still.')
    unlinkSync(pathOf('a.pem'))
    await until('a: The file /a.pem is not there.')
    replace('2')
    await until('a 2')
    assert.equal(watch.problemOf('a'), undefined)
    assert.deepEqual(events, [
      'a 1',
      'a: It is bad.',
      'a: It is bad still.',
      'a: The file /a.pem is not there.',
      'a 2',
    ])
  })

  it('is read on and on, and not complained of again', async () => {
    writeFileSync(pathOf('a.pem'), 'bad')
    provision('a', pathOf('a.pem'))
    let reads = 0
    const counted = async (path: string) => {
      reads += 1
      if (reads === 20) happen('read twenty times')
      return readCredentialFile(path)
    }
    start({ read: counted, pollMs: 1 })
    await until('read twenty times')
    assert.deepEqual(events, ['a: It is bad.', 'read twenty times'])
  })

  it('counts as unchanged when the earlier content comes back', async () => {
    writeFileSync(pathOf('a.pem'), '1')
    provision('a', pathOf('a.pem'))
    start()
    await until('a 1')
    writeFileSync(pathOf('a.pem'), 'bad')
    await until('a: It is bad.')
    writeFileSync(pathOf('a.pem'), '1')
    while (watch.problemOf('a') !== undefined) await new Promise(setImmediate)
    assert.deepEqual(events, ['a 1', 'a: It is bad.'])
  })
})

describe('the watch follows the apps', () => {
  it('begins with a path, moves with it, and ends where a credential comes with the call', async () => {
    for (const name of ['a', 'b', 'other']) writeFileSync(pathOf(`${name}.pem`), `${name}1`)
    start({ pollMs: 1 })
    provision('a', pathOf('a.pem'))
    provision('other', pathOf('other.pem'))
    watch.update()
    await until('a a1')
    provision('a', pathOf('b.pem'))
    watch.update()
    await until('a b1')
    writeFileSync(pathOf('a.pem'), 'a2')
    provision('a')
    watch.update()
    writeFileSync(pathOf('b.pem'), 'b2')
    // whoever still watched would have seen theirs before this one's second change
    writeFileSync(pathOf('other.pem'), 'other2')
    await until('other other2')
    writeFileSync(pathOf('other.pem'), 'other3')
    await until('other other3')
    assert.deepEqual(
      events.filter((event) => event.startsWith('a ')),
      ['a a1', 'a b1'],
    )
  })

  it('forgets what is being read when the app has changed', async () => {
    provision('a', pathOf('a.pem'))
    const { promise, resolve } = Promise.withResolvers<Buffer>()
    start({ read: () => promise })
    provision('a')
    watch.update()
    resolve(Buffer.from('late'))
    await new Promise(setImmediate)
    assert.deepEqual(events, [])
  })
})
