import { type Digest, startDigest } from '../base/digest.ts'
import { ApnsdError } from '../base/errors.ts'
import { type CheckedNotification, checkNotifications } from './notifications/check.ts'
import { cutIntoChunks } from './notifications/chunk.ts'
import type { Refusal } from './notifications/refusal.ts'
import type { NotificationRequest } from './notifications/request.ts'
import { readBatchOptions } from './notifications/submission.ts'
import { type BatchOptions, MAX_CHUNK_NOTIFICATIONS } from './policy/lanes.ts'
import type { Enqueued, IdempotencyKey, Queue } from './ports.ts'
import type { Receipt, SubmissionOptions } from './provider-requests.ts'

/** More refusals are counted, not listed: whoever has so many does not read them one by one. */
const MOST_REFUSALS = 1000

/** What a slice was answered, for when it comes again. */
interface SliceAnswer {
  readonly batchId: string
  readonly taken: number
  readonly refused: readonly Refusal[]
}

export interface SubmissionStreamParts {
  readonly appId: string
  readonly topic: string
  readonly batchId: string
  readonly submission: SubmissionOptions
  /** What the caller repeats the call by; undefined: not at all. */
  readonly key: string | undefined
  readonly queue: Pick<Queue, 'enqueue'>
  readonly nowMs: number
}

/**
 * A submission without end, taken in slices as it comes: each is on disk before the next is looked at.
 *
 * With an idempotency key each slice has one of its own, made from the key, its number, and whether it is the last. So
 * a call that broke off and is repeated from the start goes on where it broke off, in the same batch.
 */
export class SubmissionStream {
  readonly #parts: SubmissionStreamParts
  #batchId: string
  #options: BatchOptions | null = null
  #slice: (NotificationRequest | Omit<Refusal, 'index'>)[] = []
  #digest: Digest | null
  #slices = 0
  #index = 0
  #queued = 0
  readonly #refused: Refusal[] = []
  #refusedCount = 0

  constructor(parts: SubmissionStreamParts) {
    this.#parts = parts
    this.#batchId = parts.batchId
    this.#digest = this.#newDigest()
  }

  /**
   * Takes the next notification.
   * @param request or why it cannot even be read
   * @param text as it came, by which a repeated call is known
   * @throws {ApnsdError} idempotency-conflict, queue-full, storage-failed; the slices before are taken nonetheless
   */
  async add(request: NotificationRequest | Omit<Refusal, 'index'>, text: string): Promise<void> {
    if (this.#slice.length === MAX_CHUNK_NOTIFICATIONS) await this.#take(false)
    this.#digest?.update(text).update('\n')
    this.#index += 1
    this.#slice.push(request)
  }

  /** Takes what is left. */
  async end(): Promise<Receipt> {
    await this.#take(true)
    return {
      batchId: this.#batchId,
      queued: this.#queued,
      refused: this.#refused,
      refusedCount: this.#refusedCount,
    }
  }

  async #take(isLast: boolean): Promise<void> {
    const firstIndex = this.#index - this.#slice.length
    const { taken, refused } = checkNotifications(this.#parts.topic, this.#slice, firstIndex)
    this.#options ??= this.#readOptions(taken.length, isLast)
    const answer: SliceAnswer = { batchId: this.#batchId, taken: taken.length, refused }
    const enqueued = await this.#enqueue(taken, this.#keyOf(answer, isLast))
    if (enqueued.type === 'conflict') throw conflict()
    this.#note(enqueued.type === 'repeated' ? (JSON.parse(enqueued.answer) as SliceAnswer) : answer)
    this.#slices += 1
    this.#slice = []
    this.#digest = this.#newDigest()
  }

  /** Whoever has more than one slice is a campaign. */
  #readOptions(taken: number, isLast: boolean): BatchOptions {
    const { submission, nowMs } = this.#parts
    return readBatchOptions(submission, isLast ? taken : Number.POSITIVE_INFINITY, nowMs)
  }

  async #enqueue(
    taken: readonly CheckedNotification[],
    idempotency: IdempotencyKey | undefined,
  ): Promise<Enqueued> {
    if (taken.length === 0 && idempotency === undefined) return { type: 'enqueued' }
    const { appId, queue } = this.#parts
    const batch = { appId, batchId: this.#batchId, options: this.#options! }
    try {
      return await queue.enqueue(cutIntoChunks(batch, taken), idempotency)
    } catch (error) {
      throw error instanceof ApnsdError ? this.#say(error) : error
    }
  }

  /** A refusal in mid-stream must say what was taken before. */
  #say(error: ApnsdError): ApnsdError {
    if (this.#queued === 0) return error
    const { code, message, hint, place, retryAfterS } = error
    return new ApnsdError(
      code,
      `${message} Of this call ${this.#queued} notifications were taken before, as batch ${this.#batchId}.`,
      {
        cause: error,
        ...(hint === undefined ? {} : { hint }),
        ...(place === undefined ? {} : { place }),
        ...(retryAfterS === undefined ? {} : { retryAfterS }),
      },
    )
  }

  #keyOf(answer: SliceAnswer, isLast: boolean): IdempotencyKey | undefined {
    const { key, appId } = this.#parts
    if (key === undefined || this.#digest === null) return undefined
    const digest = this.#digest.update(isLast ? 'last' : 'more').digest('hex')
    return { appId, key: `${key}\n${this.#slices}`, digest, answer: JSON.stringify(answer) }
  }

  #note({ batchId, taken, refused }: SliceAnswer): void {
    this.#batchId = batchId
    this.#queued += taken
    this.#refusedCount += refused.length
    this.#refused.push(...refused.slice(0, MOST_REFUSALS - this.#refused.length))
  }

  #newDigest(): Digest | null {
    return this.#parts.key === undefined ? null : startDigest()
  }
}

/** The error for a key that another call came with. */
export const conflict = (): ApnsdError =>
  new ApnsdError(
    'idempotency-conflict',
    'Another call came with this idempotency key within a day, and it was not the same.',
    { hint: 'Take a new key for each call, and the same only to repeat it.' },
  )
