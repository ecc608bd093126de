/** One thing that a process did to a file or folder. Handles are the recorder's numbers for open files and folders. */
export type Operation =
  | {
      readonly kind: 'open'
      readonly handle: number
      readonly path: string
      readonly made: boolean
      readonly emptied: boolean
    }
  | WriteOperation
  | { readonly kind: 'truncate'; readonly handle: number; readonly size: number }
  | { readonly kind: 'sync'; readonly handle: number }
  | { readonly kind: 'remove'; readonly path: string }
  | { readonly kind: 'rename'; readonly from: string; readonly to: string }
  | { readonly kind: 'makeFolder'; readonly path: string }

export interface WriteOperation {
  readonly kind: 'write'
  readonly handle: number
  readonly offset: number
  readonly bytes: Buffer
}

/** The numbers of recorder.c, which draws the record. */
const KINDS = {
  opened: 1,
  written: 2,
  truncated: 3,
  synced: 4,
  removed: 5,
  renamed: 6,
  folder: 7,
  failed: 8,
} as const
const HEAD_BYTES = 24
const MADE = 1
const EMPTIED = 2

/**
 * Reads what recorder.c has written. A last record that is cut short is left out: its operation had not begun.
 * @throws where the process did what the recorder cannot tell
 */
export function decodeOperations(log: Buffer): Operation[] {
  const operations: Operation[] = []
  let at = 0
  while (at + HEAD_BYTES <= log.length) {
    const kind = log.readUInt8(at)
    const handle = log.readUInt32LE(at + 4)
    const number = Number(log.readBigUInt64LE(at + 8))
    const end = at + HEAD_BYTES + log.readUInt32LE(at + 16)
    if (end > log.length) break
    const bytes = log.subarray(at + HEAD_BYTES, end)
    if (kind === KINDS.failed) takeBack(operations, number)
    else operations.push(decode(kind, handle, number, bytes))
    at = end
  }
  return operations
}

function decode(kind: number, handle: number, number: number, bytes: Buffer): Operation {
  const [path = '', to = ''] = kind === KINDS.written ? [] : bytes.toString().split('\0')
  switch (kind) {
    case KINDS.opened:
      return {
        kind: 'open',
        handle,
        path,
        made: (number & MADE) !== 0,
        emptied: (number & EMPTIED) !== 0,
      }
    case KINDS.written:
      return { kind: 'write', handle, offset: number, bytes }
    case KINDS.truncated:
      return { kind: 'truncate', handle, size: number }
    case KINDS.synced:
      return { kind: 'sync', handle }
    case KINDS.removed:
      return { kind: 'remove', path }
    case KINDS.renamed:
      return { kind: 'rename', from: path, to }
    case KINDS.folder:
      return { kind: 'makeFolder', path }
    default:
      throw new Error(`The recorder cannot tell what ${path} does to a file.`)
  }
}

/** The last operation failed: of a write, `written` bytes took place, of anything else nothing. */
function takeBack(operations: Operation[], written: number): void {
  const last = operations.pop()
  if (last?.kind === 'write' && written > 0)
    operations.push({ ...last, bytes: last.bytes.subarray(0, written) })
}
