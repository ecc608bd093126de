import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { Disk } from './disk.ts'
import { ALL_LOST, type Fate, NONE_LOST, randomFate } from './fate.ts'
import type { Image } from './image.ts'
import type { Operation } from './operations.ts'

const ROOT = 1
const FILE = 2

const open = (handle: number, path: string, made = false): Operation => ({
  ...{ kind: 'open', handle, path, made, emptied: false },
})
const write = (offset: number, text: string): Operation => ({
  ...{ kind: 'write', handle: FILE, offset, bytes: Buffer.from(text) },
})
const truncate = (size: number): Operation => ({ kind: 'truncate', handle: FILE, size })
const sync = (handle: number): Operation => ({ kind: 'sync', handle })
const rename = (from: string, to: string): Operation => ({ kind: 'rename', from, to })
const remove = (path: string): Operation => ({ kind: 'remove', path })
const makeFolder = (path: string): Operation => ({ kind: 'makeFolder', path })

const NOTHING: Image = new Map()
const image = (files: Record<string, string | null>): Image =>
  new Map(
    Object.entries(files).map(([path, text]) => [path, text === null ? null : Buffer.from(text)]),
  )

/** What a cut leaves of a disk on which these operations were done; folders as null. */
function left(start: Image, operations: readonly Operation[], fate: Fate = ALL_LOST) {
  const disk = new Disk(start)
  for (const operation of operations) disk.apply(operation)
  return Object.fromEntries(
    [...disk.cut(fate)].map(([path, bytes]) => [path, bytes?.toString() ?? null]),
  )
}

/** Survives as told, one answer for each change. */
function told(...answers: boolean[]): Fate {
  return { ...NONE_LOST, survives: () => answers.shift() ?? assert.fail('one change too many') }
}

describe('Disk', () => {
  it('loses what was written, truncated or made longer since the last sync', () => {
    const start = image({ f: 'before' })
    const synced = [open(FILE, 'f'), write(0, 'synced'), sync(FILE)]
    assert.deepEqual(left(start, synced), { f: 'synced' })
    assert.deepEqual(left(start, [...synced, write(6, ' more')]), { f: 'synced' })
    assert.deepEqual(left(start, [...synced, truncate(2)]), { f: 'synced' })
    assert.deepEqual(left(start, [...synced, truncate(2), sync(FILE)]), { f: 'sy' })
    assert.deepEqual(left(start, [...synced, truncate(2), write(0, 'x')], NONE_LOST), { f: 'xy' })
  })

  it('loses a file whose folder was not synced, though it was', () => {
    const made = [open(FILE, 'f', true), write(0, 'new'), sync(FILE)]
    assert.deepEqual(left(NOTHING, made), {})
    assert.deepEqual(left(NOTHING, [...made, open(ROOT, ''), sync(ROOT)]), { f: 'new' })
  })

  it('leaves an empty file whose folder was synced and which was not', () => {
    const made = [open(FILE, 'f', true), write(0, 'new'), open(ROOT, ''), sync(ROOT)]
    assert.deepEqual(left(NOTHING, made), { f: '' })
  })

  it('brings back a file whose removal was not synced, and the old one of a rename', () => {
    const start = image({ f: 'old', g: 'new' })
    assert.deepEqual(left(start, [remove('f')]), { f: 'old', g: 'new' })
    assert.deepEqual(left(start, [rename('g', 'f')]), { f: 'old', g: 'new' })
    assert.deepEqual(left(start, [rename('g', 'f'), open(ROOT, ''), sync(ROOT)]), { f: 'new' })
  })

  it('writes to a file that has been renamed or removed, not to the one that has its name now', () => {
    const start = image({ f: 'old' })
    const moved = [open(FILE, 'f'), rename('f', 'g'), open(3, 'f', true), write(0, 'OLD')]
    assert.deepEqual(left(start, moved, NONE_LOST), { g: 'OLD', f: '' })
    const removed = [open(FILE, 'f'), remove('f'), open(3, 'f', true), write(0, 'OLD')]
    assert.deepEqual(left(start, removed, NONE_LOST), { f: '' })
  })

  it('loses a folder and what is in it when the folder above was not synced', () => {
    const made = [makeFolder('a'), open(3, 'a'), open(FILE, 'a/f', true), sync(FILE), sync(3)]
    assert.deepEqual(left(NOTHING, made), {})
    assert.deepEqual(left(NOTHING, [...made, open(ROOT, ''), sync(ROOT)]), { a: null, 'a/f': '' })
  })

  it('keeps each unsynced change or not, whatever became of those before it', () => {
    const changes = [open(FILE, 'f'), write(0, 'AA'), truncate(1), write(4, 'B')]
    const start = image({ f: 'ff' })
    assert.deepEqual(left(start, changes, told(true, false, false)), { f: 'AA' })
    assert.deepEqual(left(start, changes, told(false, true, false)), { f: 'f' })
    assert.deepEqual(left(start, changes, told(false, false, true)), { f: 'ff\0\0B' })
    assert.deepEqual(left(start, changes, told(true, true, true)), { f: 'A\0\0\0B' })
  })

  it('tears a write at the end of a sector', () => {
    const changes = [open(FILE, 'f'), write(500, 'x'.repeat(2000))]
    const sizes = new Set<number>()
    let draw = 0
    // the share that is kept, whether this one is, whether it is torn, and where
    for (let part = 0; part < 1; part += 0.01) {
      const fate = randomFate(() => [1, 0, 0, part][draw++ % 4] ?? 0)
      sizes.add(left(image({ f: '' }), changes, fate)['f']?.length ?? -1)
      draw = 0
    }
    assert.deepEqual([...sizes], [0, 512, 1024, 1536, 2048])
  })
})
