import type { Chunk } from '../../core/notifications/chunk.ts'
import type { Outcomes } from '../../core/outcome.ts'
import type { Lease } from '../../core/ports.ts'

/** A lease as the queue in SQLite remembers it: the row it stands for, and what of it is written down. */
export class HeldLease implements Lease {
  readonly chunk: Chunk
  readonly outcomes: Outcomes
  readonly enqueuedAtMs: number
  readonly rowId: number
  readonly dueAtMs: number
  /** What its device tokens and payloads take on the disk. */
  readonly bytes: number
  isCancelled: boolean
  /** As {@link Clock.elapsed} has it. */
  endsAtMs = 0
  /** How many waited when it was last written down. */
  waitingWritten: number
  /** How many of its details are written down; they are in the order in which they came. */
  detailsWritten: number

  constructor(
    rowId: number,
    chunk: Chunk,
    outcomes: Outcomes,
    row: { enqueuedAtMs: number; dueAtMs: number; bytes: number; isCancelled: boolean },
  ) {
    this.rowId = rowId
    this.chunk = chunk
    this.outcomes = outcomes
    this.enqueuedAtMs = row.enqueuedAtMs
    this.dueAtMs = row.dueAtMs
    this.bytes = row.bytes
    this.isCancelled = row.isCancelled
    this.waitingWritten = outcomes.waiting
    this.detailsWritten = outcomes.details.size
  }
}
