import { resolve } from 'node:path'
import { type Credential, PUSH_TYPES } from '@apnsd/apns'
import { ApnsdError } from '../base/errors.ts'
import type { Log } from '../base/log.ts'
import { type App, ENVIRONMENTS, type Environment, isSameApp } from './apps/app.ts'
import { type AppWarning, expiryWarning } from './apps/expiry.ts'
import { readCredential } from './apps/read-credential.ts'
import { batchIdFromUuid, parseApnsId } from './notifications/apns-id.ts'
import { checkNotifications } from './notifications/check.ts'
import { cutIntoChunks } from './notifications/chunk.ts'
import type {
  AppStore,
  Clock,
  Delivery,
  FeedbackStore,
  NotificationRecord,
  Queue,
} from './ports.ts'
import type {
  CredentialSource,
  FeedbackEntry,
  FeedbackPage,
  NotificationRequest,
  ProviderCalls,
  ProvisionRequest,
  Receipt,
} from './provider-requests.ts'

/** pyapns' own default. */
const DEFAULT_CONNECT_TIMEOUT_S = 15
const MAX_CONNECT_TIMEOUT_S = 3600
const MAX_APP_ID_CHARACTERS = 200
/** Entries of feedback read at a time: some hundred KiB of JSON. */
export const MAX_FEEDBACK_PAGE = 1000

export interface ProviderParts {
  readonly apps: AppStore
  readonly queue: Queue
  readonly feedback: FeedbackStore
  readonly delivery: Delivery
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
    checkAppId(request.appId)
    const environment = checkEnvironment(request.environment)
    const connectTimeoutS = checkTimeout(request.connectTimeoutS ?? DEFAULT_CONNECT_TIMEOUT_S)
    const credential = await this.#readCredential(request.credential)
    checkCredentialFits(credential, environment)
    const topic = chooseTopic(credential, request.topic)
    const before = this.#parts.apps.get(request.appId)
    // what has reached Apple once need not show it again when only the topic or the timeout changes
    const keepsReach =
      before?.environment === environment &&
      before.credential.fingerprint === credential.fingerprint
    const reachedAtMs = keepsReach ? before.reachedAtMs : null
    const app = {
      ...{ id: request.appId, environment, topic, credential, connectTimeoutS, reachedAtMs },
      ...('path' in request.credential ? { credentialFile: resolve(request.credential.path) } : {}),
    }
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
    checkCredentialFits(credential, before.environment)
    const topic = chooseTopic(credential, before.topic)
    await this.#takeApp({ ...before, topic, credential, reachedAtMs: null }, before)
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
    this.#refuseWhenShuttingDown()
    const app = this.app(appId)
    const notifications = checkNotifications(app.topic, requests)
    const batchId = batchIdFromUuid(this.#parts.randomUuid())
    if (notifications.length === 0) return { batchId, queued: 0 }
    await this.#parts.delivery.reach(app, app.connectTimeoutS * 1000)
    this.#refuseWhenShuttingDown()
    // the app may have been removed while this call waited for Apple
    this.app(appId)
    await this.#parts.queue.enqueue(cutIntoChunks(appId, batchId, notifications))
    return { batchId, queued: notifications.length }
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
    const record = id === null ? undefined : await this.#parts.queue.find(id.batchId, id.index)
    if (record === undefined)
      throw new ApnsdError('unknown-notification', 'No notification has this apns-id.')
    return record
  }

  #refuseWhenShuttingDown(): void {
    if (this.#shuttingDown)
      throw new ApnsdError('shutting-down', 'The daemon is shutting down.', {
        hint: 'Try again when it is back.',
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

function checkAppId(appId: string): void {
  if (appId === '' || appId.length > MAX_APP_ID_CHARACTERS)
    throw new ApnsdError(
      'invalid-argument',
      `An app_id has 1 to ${MAX_APP_ID_CHARACTERS} characters; this one has ${appId.length}.`,
      { place: '/appId' },
    )
}

function checkEnvironment(environment: string): Environment {
  const known = ENVIRONMENTS.find((name) => name === environment)
  if (known !== undefined) return known
  // the text is pyapns' own, to the letter
  throw new ApnsdError(
    'invalid-environment',
    `Invalid environment provided \`${environment}\`. Valid environments are \`sandbox\` and \`production\``,
    { place: '/environment' },
  )
}

function checkTimeout(seconds: number): number {
  if (seconds >= 0 && seconds <= MAX_CONNECT_TIMEOUT_S) return seconds
  throw new ApnsdError(
    'invalid-argument',
    `A timeout is 0 to ${MAX_CONNECT_TIMEOUT_S} seconds; this one is ${seconds}.`,
    { place: '/connectTimeoutS' },
  )
}

function checkFeedbackLimit(limit: number): void {
  if (Number.isInteger(limit) && limit >= 1 && limit <= MAX_FEEDBACK_PAGE) return
  throw new ApnsdError('invalid-argument', `A limit is 1 to ${MAX_FEEDBACK_PAGE}.`, {
    place: '/limit',
  })
}

function checkCredentialFits(credential: Credential, environment: Environment): void {
  if (credential.type === 'token' || credential.environments.includes(environment)) return
  throw new ApnsdError(
    'invalid-credential',
    `The certificate is for ${credential.environments.join(' and ')}, not for ${environment}.`,
    { place: '/environment' },
  )
}

/** The topic that was asked for, if the credential covers it; else the certificate's own. */
function chooseTopic(credential: Credential, asked: string | undefined): string {
  if (credential.type === 'token') {
    if (asked !== undefined && asked !== '') return asked
    throw new ApnsdError('invalid-argument', 'A signing key needs a topic beside it.', {
      place: '/topic',
      hint: 'The topic is the app’s bundle identifier.',
    })
  }
  if (asked === undefined || asked === '') return credential.defaultTopic
  const covered = Object.values(PUSH_TYPES).some(({ topicSuffix }) =>
    credential.topics.includes(asked + topicSuffix),
  )
  if (covered) return asked
  throw new ApnsdError(
    'invalid-credential',
    `The certificate is for ${credential.topics.join(', ')}, not for ${asked.slice(0, 200)}.`,
    { place: '/topic' },
  )
}
