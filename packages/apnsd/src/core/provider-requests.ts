import type { AppPolicy } from './apps/app.ts'
import type { Refusal } from './notifications/refusal.ts'
import type { NotificationRequest } from './notifications/request.ts'

/** What a door hands in to create or change an app. Nothing in it has been checked. */
export interface ProvisionRequest {
  appId: string
  environment: string
  credential: CredentialSource
  /** Needed where the credential does not tell: always with a signing key. */
  topic?: string
  /** Seconds; see {@link App.connectTimeoutS}. 15 where absent, as pyapns had it. */
  connectTimeoutS?: number
  /** What is left out stays as it was; see {@link AppPolicy} for what a new app has. */
  policy?: Partial<AppPolicy>
}

/** Where a credential comes from: the call itself, or a file beside the daemon. */
export type CredentialSource =
  /** PEM text; `key` where the private key is not in `pem`. */
  | { type: 'certificate'; pem: string; key?: string; passphrase?: string }
  /** A PKCS#12 file in base64. */
  | { type: 'certificate'; pkcs12: string; passphrase?: string }
  /** PEM, DER or PKCS#12. */
  | { type: 'certificate'; path: string }
  | { type: 'token'; key: string; keyId: string; teamId: string }

/** What holds for all notifications of a submission. Nothing in it has been checked. */
export interface SubmissionOptions {
  /** Nothing goes before, ms since the epoch. */
  sendAtMs?: number | undefined
  /** Nothing goes more than so many seconds after it could first have gone. */
  ttlS?: number | undefined
  /** At most so many a second. */
  ratePerS?: number | undefined
  /** The same again within 24 hours gives the same answer, and queues nothing. */
  idempotency?: { key: string; digest: string } | undefined
}

/** What came of a submission that was taken: its notifications are on disk. */
export interface Receipt {
  /** Names the batch: 24 hex digits, the first 12 bytes of each of its notifications' `apns-id`. */
  batchId: string
  queued: number
  /** What was not taken, in order; of very many only the first. */
  refused: Refusal[]
  refusedCount: number
}

/** A device token that Apple declared dead. */
export interface FeedbackEntry {
  /** Lower-case hex. */
  deviceToken: string
  /** Since when Apple knows, ms since the epoch. */
  timestampMs: number
}

/** All that is known of a device token that is dead or suspect. */
export interface FeedbackRecord extends FeedbackEntry {
  /** Grows with each record: what was recorded later stands later. */
  readonly position: number
  /** Apple's HTTP status and reason, verbatim. */
  readonly status: number
  readonly reason: string
  /** When it was recorded here, ms since the epoch. */
  readonly recordedAtMs: number
  /** True where the device token may be alive, and the app's environment or topic wrong. */
  readonly isSuspect: boolean
}

/** Some of an app's feedback. */
export interface FeedbackPage {
  readonly records: readonly FeedbackRecord[]
  /** Where to go on, now or later; 0 where there has been nothing yet. */
  readonly next: number
  /** True where there is more already. */
  readonly hasMore: boolean
}

/** The use cases as the doors see them; {@link Provider} implements them. */
export interface ProviderCalls {
  /**
   * Creates or changes an app; on disk when it resolves. The same again changes nothing.
   * @throws {ApnsdError} invalid-argument, invalid-environment, invalid-credential, the codes of `CredentialError`,
   * storage-failed, shutting-down
   */
  provision(request: ProvisionRequest): Promise<void>
  /**
   * Takes notifications for an app: all of them or none. On disk when it resolves.
   * @throws {ApnsdError} unknown-app, invalid-argument, invalid-device-token, invalid-payload, payload-too-large,
   * apple-unreachable, credential-refused, queue-full, storage-failed, shutting-down
   */
  notify(appId: string, requests: readonly NotificationRequest[]): Promise<Receipt>
  /**
   * Hands out each dead device token of an app once, oldest first.
   * @throws {ApnsdError} unknown-app, storage-failed
   */
  takeFeedback(appId: string): Promise<FeedbackEntry[]>
  /**
   * Shows each dead device token of an app that was recorded at or after a time, oldest first; what
   * {@link takeFeedback} hands out stays the same.
   * @throws {ApnsdError} unknown-app, storage-failed
   */
  feedbackSince(appId: string, sinceMs: number): Promise<FeedbackEntry[]>
}
