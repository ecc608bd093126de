import { cpSync, existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { formatApnsId } from '../../packages/apnsd/src/core/notifications/apns-id.ts'

/** How notifications stand in a daemon's data file: those that have an outcome there, and those that wait. */
export interface OnDisk {
  readonly settled: ReadonlySet<string>
  readonly waiting: ReadonlySet<string>
}

const WAITING = 0
const POLL_MS = 5

/** Reads a running daemon's data file, beside it; what it has not committed does not show. */
export function readDataFile(dataFolder: string): OnDisk {
  const database = new DatabaseSync(join(dataFolder, 'apnsd.db'), { readOnly: true })
  try {
    return readChunks(database)
  } finally {
    database.close()
  }
}

/** Reads the data file of a daemon that is dead, in a copy: it leaves what the next one has to recover as it is. */
export function readLeftDataFile(dataFolder: string): OnDisk {
  const copy = mkdtempSync(join(tmpdir(), 'apnsd-copy-'))
  try {
    // a daemon that had drained has moved its log into the file
    for (const name of ['apnsd.db', 'apnsd.db-wal'])
      if (existsSync(join(dataFolder, name))) cpSync(join(dataFolder, name), join(copy, name))
    const database = new DatabaseSync(join(copy, 'apnsd.db'))
    const onDisk = readChunks(database)
    database.close()
    return onDisk
  } finally {
    rmSync(copy, { recursive: true })
  }
}

/** Resolves when a running daemon's data file is as wanted. */
export async function untilOnDisk(
  dataFolder: string,
  isWanted: (onDisk: OnDisk) => boolean,
): Promise<OnDisk> {
  for (;;) {
    const onDisk = readDataFile(dataFolder)
    if (isWanted(onDisk)) return onDisk
    await new Promise((resolve) => setTimeout(resolve, POLL_MS))
  }
}

function readChunks(database: DatabaseSync): OnDisk {
  const settled = new Set<string>()
  const waiting = new Set<string>()
  const rows = database.prepare('SELECT batch_id, first_index, states FROM chunks').iterate()
  for (const { batch_id: batchId, first_index: firstIndex, states } of rows)
    for (const [index, state] of (states as Uint8Array).entries()) {
      const apnsId = formatApnsId(String(batchId), Number(firstIndex) + index)
      if (state === WAITING) waiting.add(apnsId)
      else settled.add(apnsId)
    }
  return { settled, waiting }
}
