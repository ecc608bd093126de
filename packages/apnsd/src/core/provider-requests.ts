import type { JsonObject } from './notifications/payload.ts'

/** What a door hands in to create or change an app. Nothing in it has been checked. */
export interface ProvisionRequest {
  appId: string
  environment: string
  credential: CredentialSource
  /** Needed where the credential does not tell: always with a signing key. */
  topic?: string
  /** Seconds; see {@link App.connectTimeoutS}. 15 where absent, as pyapns had it. */
  connectTimeoutS?: number
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

/** One notification as it was handed in. Nothing in it has been checked. */
export interface NotificationRequest {
  deviceToken: string
  /** The whole dictionary, `aps` included. The same object for many notifications is encoded and stored once. */
  payload: JsonObject
}

/** What came of a submission that was taken: its notifications are on disk. */
export interface Receipt {
  /** Names the batch: 24 hex digits, the first 12 bytes of each of its notifications' `apns-id`. */
  batchId: string
  queued: number
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
   * @throws {ApnsdError} unknown-app, invalid-device-token, invalid-payload, payload-too-large, apple-unreachable,
   * credential-refused, storage-failed, shutting-down
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
