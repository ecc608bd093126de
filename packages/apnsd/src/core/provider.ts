import { resolve } from 'node:path'
import type { Credential } from '@apnsd/apns'
import { ApnsdError } from '../base/errors.ts'
import type { Log } from '../base/log.ts'
import { type App, isSameApp } from './apps/app.ts'
import { type AppWarning, expiryWarning } from './apps/expiry.ts'
import { checkAppId, checkEnvironment, makeApp, renewApp } from './apps/provision.ts'
import { readCredential } from './apps/read-credential.ts'
import { batchIdFromUuid, parseApnsId } from './notifications/apns-id.ts'
import { type CheckedNotification, checkNotifications } from './notifications/check.ts'
import { cutIntoChunks } from './notifications/chunk.ts'
import { type Refusal, refusalOf } from './notifications/refusal.ts'
import type { NotificationRequest } from './notifications/request.ts'
import { readBatchOptions } from './notifications/submission.ts'
import type {
  AppStore,
  BatchRecord,
  Clock,
  Delivery,
  DeliveryStatus,
  FeedbackStore,
  NotificationRecord,
  OutcomeArchive,
  Queue,
} from './ports.ts'
import type {
  CredentialSource,
  FeedbackEntry,
  FeedbackPage,
  ProviderCalls,
  ProvisionRequest,
  Receipt,
  SubmissionOptions,
} from './provider-requests.ts'
import { conflict, SubmissionStream } from './submission-stream.ts'

/** A daemon that is told to stop is mostly back in a few seconds. */
const SHUT_DOWN_RETRY_AFTER_S = 5
/** Entries of feedback read at a time: some hundred KiB of JSON. */
export const MAX_FEEDBACK_PAGE = 1000

export interface ProviderParts {
  readonly apps: AppStore
  readonly queue: Queue
  readonly archive: OutcomeArchive
  readonly feedback: FeedbackStore
  readonly delivery: Delivery
  /** Throws `storage-failed` while there is no room for anything new. */
  readonly checkRoom: () => void
  readonly clock: Clock
  readonly log: Log
  readonly randomUuid: () => string
  /** Reads a credential file beside the daemon. */
  readonly readCredentialFile: (path: string) => Promise<Uint8Array>
  /** What is wrong with the file that an app got its credential from; undefined where nothing is. */
  readonly fileProblem: (appId: string) => string | undefined
}

/** The use cases. Every door calls these and nothing deeper. */
export class Provider implements ProviderCalls {
  readonly #parts: ProviderParts
  #shuttingDown = false

  constructor(parts: ProviderParts) {
    this.#parts = parts
  }

  /** From now on every call that would change something is refused with `shutting-down`. */
  shutDown(): void {
    this.#shuttingDown = true
  }

  async provision(request: ProvisionRequest): Promise<void> {
    this.#refuseWhenShuttingDown()
    this.#parts.checkRoom()
    checkAppId(request.appId)
    checkEnvironment(request.environment)
    const credential = await this.#readCredential(request.credential)
    const before = this.#parts.apps.get(request.appId)
    const { credential: source } = request
    const file = 'path' in source ? resolve(source.path) : undefined
    const app = makeApp(request, credential, file, before)
    await this.#takeApp(app, before)
  }

  /**
   * Takes what an app's credential file holds by now, as if the app were provisioned with it. Does nothing where the
   * app has another file by now, or this very credential.
   * @throws {ApnsdError} as {@link provision}; the app is as it was then
   */
  async renewCredential(appId: string, path: string, file: Uint8Array): Promise<void> {
    this.#refuseWhenShuttingDown()
    const before = this.#parts.apps.get(appId)
    if (before?.credentialFile !== path) return
    const credential = readCredential({ type: 'certificate', file }, this.#parts.clock.now())
    if (credential.fingerprint === before.credential.fingerprint) return
    await this.#takeApp(renewApp(before, credential), before)
  }

  async #takeApp(app: App, before: App | undefined): Promise<void> {
    this.#warnAbout(app)
    if (before === undefined || !isSameApp(before, app)) {
      await this.#parts.apps.put(app)
      this.#parts.log.info(
        {
          app: app.id,
          environment: app.environment,
          topic: app.topic,
          credential: app.credential.type,
          ...(app.credentialFile === undefined ? {} : { file: app.credentialFile }),
          changed: before !== undefined,
        },
        'provisioned',
      )
    }
    this.#parts.delivery.appChanged(app)
  }

  async notify(appId: string, requests: readonly NotificationRequest[]): Promise<Receipt> {
    const { topic } = this.app(appId)
    const { refused, taken } = checkNotifications(topic, requests)
    const [first] = refused
    if (first !== undefined) throw refusalOf(first, requests.length)
    return this.#enqueue(appId, taken, refused, {})
  }

  /**
   * Takes notifications for an app: those that Apple would take, on disk when it resolves; the others are refused, each
   * with what is wrong with it.
   * @throws {ApnsdError} unknown-app, invalid-argument, idempotency-conflict, apple-unreachable, credential-refused,
   * queue-full, storage-failed, shutting-down
   */
  async submit(
    appId: string,
    requests: readonly NotificationRequest[],
    options: SubmissionOptions,
  ): Promise<Receipt> {
    const { topic } = this.app(appId)
    const { refused, taken } = checkNotifications(topic, requests)
    return this.#enqueue(appId, taken, refused, options)
  }

  /**
   * Begins a submission that comes bit by bit, without end.
   * @param key what the caller repeats the call by; undefined: not at all
   * @throws {ApnsdError} unknown-app, apple-unreachable, credential-refused, shutting-down
   */
  async openStream(
    appId: string,
    submission: SubmissionOptions,
    key: string | undefined,
  ): Promise<SubmissionStream> {
    this.#refuseWhenShuttingDown()
    this.#parts.checkRoom()
    await this.#untilReachable(appId)
    return new SubmissionStream({
      appId,
      topic: this.app(appId).topic,
      batchId: batchIdFromUuid(this.#parts.randomUuid()),
      submission,
      key,
      queue: this.#parts.queue,
      nowMs: this.#parts.clock.now(),
    })
  }

  /** Checks notifications as {@link submit} does, and sends nothing. */
  check(appId: string, requests: readonly NotificationRequest[]): Refusal[] {
    return checkNotifications(this.app(appId).topic, requests).refused
  }

  async #enqueue(
    appId: string,
    taken: readonly CheckedNotification[],
    refused: Refusal[],
    submission: SubmissionOptions,
  ): Promise<Receipt> {
    this.#refuseWhenShuttingDown()
    this.#parts.checkRoom()
    const options = readBatchOptions(submission, taken.length, this.#parts.clock.now())
    const batchId = batchIdFromUuid(this.#parts.randomUuid())
    const receipt = {
      batchId,
      queued: taken.length,
      refused,
      refusedCount: refused.length,
    }
    if (taken.length === 0 && submission.idempotency === undefined) return receipt
    await this.#untilReachable(appId)
    const chunks = cutIntoChunks({ appId, batchId, options }, taken)
    const enqueued = await this.#parts.queue.enqueue(
      chunks,
      submission.idempotency && {
        ...submission.idempotency,
        appId,
        answer: JSON.stringify(receipt),
      },
    )
    switch (enqueued.type) {
      case 'enqueued':
        return receipt
      case 'repeated':
        return JSON.parse(enqueued.answer) as Receipt
      case 'conflict':
        throw conflict()
    }
  }

  /** Waits for the first connection with the app's credential, as pyapns did: a wrong one shows at the first call. */
  async #untilReachable(appId: string): Promise<void> {
    const app = this.app(appId)
    await this.#parts.delivery.reach(app, app.connectTimeoutS * 1000)
    this.#refuseWhenShuttingDown()
    // the app may have been removed while this call waited for Apple
    this.app(appId)
  }

  async takeFeedback(appId: string): Promise<FeedbackEntry[]> {
    this.app(appId)
    return this.#parts.feedback.take(appId, this.#parts.clock.now())
  }

  async feedbackSince(appId: string, sinceMs: number): Promise<FeedbackEntry[]> {
    this.app(appId)
    return this.#parts.feedback.since(appId, sinceMs)
  }

  /**
   * Reads an app's feedback from a position on, suspects included, and takes nothing away.
   * @param after 0 for the beginning, or a page's `next`
   * @param limit 1 to {@link MAX_FEEDBACK_PAGE}
   * @throws {ApnsdError} unknown-app, invalid-argument, storage-failed
   */
  async readFeedback(appId: string, after: number, limit: number): Promise<FeedbackPage> {
    this.app(appId)
    checkFeedbackLimit(limit)
    const found = await this.#parts.feedback.read(appId, after, limit + 1)
    const records = found.slice(0, limit)
    return { records, next: records.at(-1)?.position ?? after, hasMore: found.length > limit }
  }

  /**
   * Finds an app by its id.
   * @throws {ApnsdError} unknown-app
   */
  app(appId: string): App {
    const app = this.#parts.apps.get(appId)
    // the text is pyapns' own; its clients show it to people
    if (app === undefined)
      throw new ApnsdError('unknown-app', 'The app_id specified has not been provisioned.')
    return app
  }

  /** Lists the apps by id. */
  apps(): App[] {
    return this.#parts.apps.list()
  }

  /** What the operator of an app should see to. */
  warnings(app: App): AppWarning[] {
    const problem = this.#parts.fileProblem(app.id)
    const expiry = expiryWarning(app, this.#parts.clock.now())
    return [
      ...(expiry === null ? [] : [expiry]),
      ...(problem === undefined
        ? []
        : [{ code: 'credential-file-unusable' as const, detail: problem }]),
    ]
  }

  /**
   * Removes an app; what still waits for it is cancelled, what is on its way is answered.
   * @throws {ApnsdError} unknown-app, storage-failed, shutting-down
   */
  async removeApp(appId: string): Promise<void> {
    this.#refuseWhenShuttingDown()
    this.app(appId)
    await this.#parts.apps.remove(appId)
    this.#parts.delivery.appRemoved(appId)
    await this.#parts.queue.cancelApp(appId)
    this.#parts.log.info({ app: appId }, 'removed')
  }

  /**
   * Says what became of a notification.
   * @param apnsId as Apple knows it, in any case
   * @throws {ApnsdError} unknown-notification
   */
  async notification(apnsId: string): Promise<NotificationRecord> {
    const id = parseApnsId(apnsId)
    const record = id === null ? undefined : await this.#parts.archive.find(id.batchId, id.index)
    if (record === undefined)
      throw new ApnsdError('unknown-notification', 'No notification has this apns-id.')
    return record
  }

  /**
   * Says what became of a batch.
   * @throws {ApnsdError} unknown-batch
   */
  async batch(batchId: string): Promise<BatchRecord> {
    const record = await this.#parts.archive.findBatch(batchId.toLowerCase())
    if (record === undefined) throw new ApnsdError('unknown-batch', 'No batch has this identifier.')
    return record
  }

  /**
   * Lists a batch's notifications by index.
   * @param firstIndex 0 for the first
   * @throws {ApnsdError} unknown-batch
   */
  async batchNotifications(
    batchId: string,
    firstIndex: number,
    limit: number,
  ): Promise<NotificationRecord[]> {
    const { archive } = this.#parts
    const records = await archive.list(batchId.toLowerCase(), firstIndex, limit)
    if (records.length === 0) await this.batch(batchId)
    return records
  }

  /**
   * Cancels what of a batch has not been sent.
   * @returns the batch as it is then; what is on its way ends as Apple answers
   * @throws {ApnsdError} unknown-batch, storage-failed, shutting-down
   */
  async cancelBatch(batchId: string): Promise<BatchRecord> {
    this.#refuseWhenShuttingDown()
    const { appId } = await this.batch(batchId)
    const notifications = await this.#parts.queue.cancel(batchId.toLowerCase())
    this.#parts.log.info({ app: appId, batch: batchId, notifications }, 'cancelled')
    return this.batch(batchId)
  }

  /** How an app's delivery fares. */
  deliveryStatus(appId: string): DeliveryStatus {
    return this.#parts.delivery.status(appId)
  }

  #refuseWhenShuttingDown(): void {
    if (this.#shuttingDown)
      throw new ApnsdError('shutting-down', 'The daemon is shutting down.', {
        hint: 'It takes calls again when it is back.',
        retryAfterS: SHUT_DOWN_RETRY_AFTER_S,
      })
  }

  async #readCredential(source: CredentialSource): Promise<Credential> {
    const now = this.#parts.clock.now()
    if (!('path' in source)) return readCredential(source, now)
    const file = await this.#parts.readCredentialFile(source.path)
    return readCredential({ type: 'certificate', file }, now)
  }

  #warnAbout(app: App): void {
    if (app.credential.type === 'certificate' && !app.credential.hasAppleExtensions)
      this.#parts.log.warn(
        { app: app.id, topic: app.topic },
        'the certificate has none of Apple’s extensions, so Apple did not make it; taken with its subject as topic',
      )
  }
}

function checkFeedbackLimit(limit: number): void {
  if (Number.isInteger(limit) && limit >= 1 && limit <= MAX_FEEDBACK_PAGE) return
  throw new ApnsdError('invalid-argument', `A limit is 1 to ${MAX_FEEDBACK_PAGE}.`, {
    place: '/limit',
  })
}
