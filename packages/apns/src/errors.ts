/**
 * The base of every error this package throws. A rejection is not among them: it is Apple's answer, and so a value.
 * `retry` says whether the same may succeed later without being changed.
 */
export class ApnsError extends Error {
  readonly code: string
  readonly retry: boolean

  constructor(code: string, message: string, options: { retry: boolean; cause?: unknown }) {
    super(message, 'cause' in options ? { cause: options.cause } : undefined)
    this.name = new.target.name
    this.code = code
    this.retry = options.retry
  }
}

export type CredentialErrorCode =
  | 'certificate-missing'
  | 'certificate-unreadable'
  | 'certificate-expired'
  | 'certificate-not-yet-valid'
  | 'certificate-unusable'
  | 'key-missing'
  | 'key-encrypted'
  | 'key-unreadable'
  | 'key-mismatch'
  | 'key-wrong-kind'
  | 'key-id-malformed'
  | 'team-id-malformed'
  | 'passphrase-missing'
  | 'passphrase-wrong'
  | 'pkcs12-unreadable'
  | 'pkcs12-library-missing'
  | 'encryption-unsupported'
  | 'credential-too-large'

/** A certificate or key that cannot be used; the caller's to mend. */
export class CredentialError extends ApnsError {
  declare readonly code: CredentialErrorCode

  constructor(code: CredentialErrorCode, message: string, cause?: unknown) {
    super(code, message, { retry: false, cause })
  }
}

/** Apple, or what stands for it, turned the credential away while the connection was being made. */
export class CredentialRefusedError extends ApnsError {
  constructor(message: string, cause?: unknown) {
    super('credential-refused', message, { retry: false, cause })
  }
}

/** No connection could be made, or it ended before it could be used. */
export class ConnectError extends ApnsError {
  constructor(message: string, cause?: unknown) {
    super('connect-failed', message, { retry: true, cause })
  }
}

/** The peer provably did not process the notification: sending it again can make no duplicate. */
export class NotProcessedError extends ApnsError {
  constructor(message: string) {
    super('not-processed', message, { retry: true })
  }
}

/** The notification cannot be sent as it is: a header field that is none. Nothing was sent. */
export class InvalidNotificationError extends ApnsError {
  constructor(message: string) {
    super('invalid-notification', message, { retry: false })
  }
}

/** The notification was sent and no answer came: the device may or may not have it. */
export class InDoubtError extends ApnsError {
  constructor(message: string) {
    super('in-doubt', message, { retry: true })
  }
}
