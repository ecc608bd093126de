/**
 * Every error that a caller may see, in one table.
 *
 * `httpStatus` answers REST, `fault` answers XML-RPC, `exitCode` ends a command. The fault codes of pyapns 0.4 stay what
 * they were (401, 404, 500, 8001, 8002); 400 and 503 are ours. `retry` says whether the same call may succeed later
 * without being changed.
 */
export const ERRORS = {
  'invalid-argument': { httpStatus: 400, fault: 400, exitCode: 2, retry: false },
  'invalid-device-token': { httpStatus: 400, fault: 400, exitCode: 2, retry: false },
  'invalid-payload': { httpStatus: 400, fault: 400, exitCode: 2, retry: false },
  'payload-too-large': { httpStatus: 413, fault: 400, exitCode: 2, retry: false },
  'invalid-credential': { httpStatus: 400, fault: 400, exitCode: 3, retry: false },
  'certificate-missing': { httpStatus: 400, fault: 400, exitCode: 3, retry: false },
  'certificate-unreadable': { httpStatus: 400, fault: 400, exitCode: 3, retry: false },
  'certificate-expired': { httpStatus: 400, fault: 400, exitCode: 3, retry: false },
  'certificate-not-yet-valid': { httpStatus: 400, fault: 400, exitCode: 3, retry: false },
  'certificate-unusable': { httpStatus: 400, fault: 400, exitCode: 3, retry: false },
  'key-missing': { httpStatus: 400, fault: 400, exitCode: 3, retry: false },
  'key-encrypted': { httpStatus: 400, fault: 400, exitCode: 3, retry: false },
  'key-unreadable': { httpStatus: 400, fault: 400, exitCode: 3, retry: false },
  'key-mismatch': { httpStatus: 400, fault: 400, exitCode: 3, retry: false },
  'key-wrong-kind': { httpStatus: 400, fault: 400, exitCode: 3, retry: false },
  'key-id-malformed': { httpStatus: 400, fault: 400, exitCode: 3, retry: false },
  'team-id-malformed': { httpStatus: 400, fault: 400, exitCode: 3, retry: false },
  'passphrase-missing': { httpStatus: 400, fault: 400, exitCode: 3, retry: false },
  'passphrase-wrong': { httpStatus: 400, fault: 400, exitCode: 3, retry: false },
  'pkcs12-unreadable': { httpStatus: 400, fault: 400, exitCode: 3, retry: false },
  'encryption-unsupported': { httpStatus: 400, fault: 400, exitCode: 3, retry: false },
  'credential-too-large': { httpStatus: 413, fault: 400, exitCode: 3, retry: false },
  'pkcs12-library-missing': { httpStatus: 501, fault: 8002, exitCode: 3, retry: false },
  'invalid-environment': { httpStatus: 400, fault: 401, exitCode: 3, retry: false },
  'invalid-configuration': { httpStatus: 500, fault: 8002, exitCode: 2, retry: false },
  'unknown-app': { httpStatus: 404, fault: 404, exitCode: 4, retry: false },
  'unknown-notification': { httpStatus: 404, fault: 404, exitCode: 4, retry: false },
  'unknown-batch': { httpStatus: 404, fault: 404, exitCode: 4, retry: false },
  'unknown-path': { httpStatus: 404, fault: 8001, exitCode: 4, retry: false },
  'unknown-method': { httpStatus: 404, fault: 8001, exitCode: 4, retry: false },
  'malformed-request': { httpStatus: 400, fault: 8002, exitCode: 2, retry: false },
  'request-too-large': { httpStatus: 413, fault: 8002, exitCode: 2, retry: false },
  'forbidden-origin': { httpStatus: 403, fault: 403, exitCode: 5, retry: false },
  'apple-unreachable': { httpStatus: 503, fault: 500, exitCode: 6, retry: true },
  'credential-refused': { httpStatus: 409, fault: 500, exitCode: 3, retry: false },
  'idempotency-conflict': { httpStatus: 409, fault: 409, exitCode: 2, retry: false },
  'queue-full': { httpStatus: 503, fault: 503, exitCode: 7, retry: true },
  'storage-failed': { httpStatus: 503, fault: 503, exitCode: 7, retry: true },
  'data-folder-in-use': { httpStatus: 503, fault: 503, exitCode: 7, retry: false },
  'shutting-down': { httpStatus: 503, fault: 503, exitCode: 7, retry: true },
  'daemon-unreachable': { httpStatus: 503, fault: 503, exitCode: 6, retry: true },
  'lease-lost': { httpStatus: 500, fault: 8002, exitCode: 1, retry: false },
  internal: { httpStatus: 500, fault: 8002, exitCode: 1, retry: false },
} as const

export type ErrorCode = keyof typeof ERRORS

/** What else an error can say; each part is safe to show to the caller. */
export interface ErrorDetails {
  /** What to do next, one sentence. */
  hint?: string
  /** Where in the request the fault lies, as a JSON pointer: `/notifications/3/deviceToken`. */
  place?: string
  /** When the same call is worth another try: whole seconds, at least 1. Only beside a code that may be retried. */
  retryAfterS?: number
  /** What led here. For the log only, never for the caller. */
  cause?: unknown
}

/**
 * An error with a stable code and a sentence that may be shown to whoever called: it names what was wrong, and holds
 * no payload, no secret and no driver's text.
 */
export class ApnsdError extends Error {
  readonly code: ErrorCode
  readonly hint: string | undefined
  readonly place: string | undefined
  readonly retryAfterS: number | undefined

  constructor(code: ErrorCode, message: string, details: ErrorDetails = {}) {
    super(message, 'cause' in details ? { cause: details.cause } : undefined)
    this.name = 'ApnsdError'
    this.code = code
    this.hint = details.hint
    this.place = details.place
    this.retryAfterS = details.retryAfterS
  }

  /** True where the same call may succeed later, unchanged. */
  get retry(): boolean {
    return ERRORS[this.code].retry
  }
}

/**
 * Turns anything thrown into an {@link ApnsdError}: ours stay as they are, all others become `internal`, their text kept
 * as `cause` for the log.
 */
export function toApnsdError(thrown: unknown): ApnsdError {
  if (thrown instanceof ApnsdError) return thrown
  return new ApnsdError('internal', 'The daemon failed at this call.', {
    hint: 'Its log says more.',
    cause: thrown,
  })
}
