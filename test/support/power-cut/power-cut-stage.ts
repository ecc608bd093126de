import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join, relative } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { fileURLToPath } from 'node:url'
import { Stage } from '../stage.ts'
import { Disk } from './disk.ts'
import { type Fate, NONE_LOST } from './fate.ts'
import { findDifference, type Image, readImage, writeImage } from './image.ts'
import { decodeOperations, type Operation } from './operations.ts'

const SOURCES = ['recorder.c', 'wrappers.c'].map((file) =>
  fileURLToPath(new URL(file, import.meta.url)),
)
/** The system copies a write page by page, and looks in between whether the process was killed. */
const PAGE_BYTES = 4096

/** What became of the disk while there was power: what it held at first, and what was done to it. */
export interface DiskRecord {
  readonly before: Image
  readonly operations: readonly Operation[]
}

/** A stage whose daemon keeps its data on a disk of which the power can be cut. */
export class PowerCutStage extends Stage {
  /** Beside the disk: the recorder and its log. */
  readonly #recorderFolder = mkdtempSync(join(tmpdir(), 'apnsd-recorder-'))
  /** The disk; the daemon makes the folders in it. */
  readonly disk = join(this.folder, 'disk')
  readonly #log = join(this.#recorderFolder, 'log')
  readonly #recorder = join(this.#recorderFolder, 'recorder.so')
  #before: Image = new Map()
  #operations: readonly Operation[] = []

  constructor() {
    super()
    mkdirSync(this.disk)
    writeFileSync(this.#log, '')
    compileRecorder(this.#recorder)
  }

  override get dataFolder(): string {
    return join(this.disk, 'var', 'apnsd')
  }

  protected override get environment(): NodeJS.ProcessEnv {
    return {
      LD_PRELOAD: this.#recorder,
      POWER_CUT_FOLDER: this.disk,
      POWER_CUT_LOG: this.#log,
    }
  }

  override async close(): Promise<void> {
    await super.close()
    rmSync(this.#recorderFolder, { recursive: true, force: true })
  }

  /** How many operations were done since the last power cut. */
  countOperations(): number {
    return this.#operations.length + decodeOperations(readFileSync(this.#log)).length
  }

  /** Kills the daemon. There still is power: the system writes what was not synced, sooner or later. */
  async kill(): Promise<DiskRecord> {
    await this.daemon.kill()
    return this.#record()
  }

  /** Lets the daemon stop as it likes; there still is power. */
  async stop(): Promise<DiskRecord> {
    assert.equal(await this.daemon.stop(), 0)
    return this.#record()
  }

  /**
   * Kills the daemon and leaves on the disk what a power cut at that moment would.
   * @returns what was done since the power cut before
   */
  async cutPower(fate: Fate): Promise<DiskRecord> {
    const record = await this.kill()
    this.#before = imageAfter(record, fate)
    this.#operations = []
    writeImage(this.disk, this.#before)
    this.checkDatabase()
    return record
  }

  /** Takes over what the daemon that has ended did. */
  #record(): DiskRecord {
    const operations = decodeOperations(readFileSync(this.#log))
    truncateSync(this.#log)
    const record = { before: this.#before, operations: [...this.#operations, ...operations] }
    this.#operations = settled(record, readImage(this.disk))
    return { before: this.#before, operations: this.#operations }
  }

  /**
   * Lets SQLite check the data file, if there is one, on a copy: opening it changes it.
   * @throws where it is damaged
   */
  checkDatabase(): void {
    const copy = join(this.#recorderFolder, 'copy')
    rmSync(copy, { recursive: true, force: true })
    cpSync(this.disk, copy, { recursive: true })
    const path = join(copy, relative(this.disk, this.dataFolder), 'apnsd.db')
    if (!existsSync(path)) return
    const db = new DatabaseSync(path)
    const rows = db.prepare('PRAGMA integrity_check').all()
    db.close()
    assert.deepEqual(
      rows.map((row) => row['integrity_check']),
      ['ok'],
    )
  }
}

/** What is on the disk when the power is cut after the first `count` operations of a record, or after all. */
export function imageAfter(
  record: DiskRecord,
  fate: Fate,
  count = record.operations.length,
): Image {
  const disk = new Disk(record.before)
  for (const operation of record.operations.slice(0, count)) disk.apply(operation)
  return disk.cut(fate)
}

/** How often the files of this name were synced. */
export function countSyncs(record: DiskRecord, name: string): number {
  const handles = new Map<number, string>()
  let count = 0
  for (const operation of record.operations) {
    if (operation.kind === 'open') handles.set(operation.handle, basename(operation.path))
    else if (operation.kind === 'sync' && handles.get(operation.handle) === name) count += 1
  }
  return count
}

function compileRecorder(target: string): void {
  const options = ['-shared', '-fPIC', '-O2', '-o', target, ...SOURCES, '-ldl', '-lpthread']
  const { status, stderr } = spawnSync('cc', options, { encoding: 'utf8' })
  if (status !== 0) throw new Error(`cc cannot compile the recorder: ${stderr}`)
}

/**
 * Makes sure that nothing went past the recorder: where nothing is lost, the record leads to what is on the disk. Of the
 * last operation any part may have taken place when the process was killed.
 * @returns the operations that took place
 */
function settled({ before, operations }: DiskRecord, actual: Image): Operation[] {
  const disk = new Disk(before)
  const certain = operations.slice(0, -1)
  for (const operation of certain) disk.apply(operation)
  let difference = findDifference(disk.cut(NONE_LOST), actual)
  if (difference === null && operations.at(-1)?.kind !== 'sync') return certain
  for (const part of partsOf(operations.at(-1))) {
    disk.apply(part)
    difference = findDifference(disk.cut(NONE_LOST), actual)
    if (difference === null) return [...certain, part]
  }
  throw new Error(`The recorder has not seen all that became of ${difference}`)
}

/** An operation, each time a bit more of it, in the end all. */
function partsOf(operation: Operation | undefined): Operation[] {
  if (operation?.kind !== 'write') return operation === undefined ? [] : [operation]
  const { offset, bytes } = operation
  const parts: Operation[] = []
  for (let end = PAGE_BYTES - (offset % PAGE_BYTES); end < bytes.length; end += PAGE_BYTES)
    parts.push({ ...operation, bytes: bytes.subarray(0, end) })
  return [...parts, operation]
}
