/**
 * Apple's reasons for a rejection, and what each asks of us.
 *
 * Statuses and meanings are Apple's ("Handling notification responses from APNs"); where a reason is only known from
 * implementers, or the column is our own conclusion, docs/reference says so. Unknown reasons are passed on verbatim and
 * judged by their status.
 */

/**
 * Whom the rejection is about.
 * - `notification`: this one is wrong; the same again would be rejected again.
 * - `deviceToken`: the device token is dead, or belongs elsewhere; never again to this one.
 * - `credential`: nothing sent with this credential will be taken until somebody mends it.
 * - `providerToken`: the JWT went stale; a fresh one on a new connection mends it.
 * - `throttled`: too fast; the same later is welcome.
 * - `server`: Apple's own trouble; the same later is welcome.
 */
export type ReasonClass =
  | 'notification'
  | 'deviceToken'
  | 'credential'
  | 'providerToken'
  | 'throttled'
  | 'server'

export interface ReasonFacts {
  /** The HTTP status it comes with. */
  readonly status: number
  readonly class: ReasonClass
  /** True where Apple asks, or the field found, that the connection not be used again. */
  readonly closesConnection: boolean
}

const facts = (
  status: number,
  reasonClass: ReasonClass,
  closesConnection = false,
): ReasonFacts => ({
  status,
  class: reasonClass,
  closesConnection,
})

export const REASONS = {
  BadCollapseId: facts(400, 'notification'),
  BadDeviceToken: facts(400, 'deviceToken'),
  BadExpirationDate: facts(400, 'notification'),
  BadMessageId: facts(400, 'notification'),
  BadPriority: facts(400, 'notification'),
  BadTopic: facts(400, 'notification'),
  DeviceTokenNotForTopic: facts(400, 'deviceToken'),
  DuplicateHeaders: facts(400, 'notification'),
  IdleTimeout: facts(400, 'server', true),
  InvalidPushType: facts(400, 'notification'),
  MissingDeviceToken: facts(400, 'notification'),
  MissingTopic: facts(400, 'notification'),
  PayloadEmpty: facts(400, 'notification'),
  TopicDisallowed: facts(400, 'notification'),
  BadCertificate: facts(403, 'credential', true),
  BadCertificateEnvironment: facts(403, 'credential', true),
  ExpiredProviderToken: facts(403, 'providerToken', true),
  Forbidden: facts(403, 'credential', true),
  InvalidProviderToken: facts(403, 'credential', true),
  MissingProviderToken: facts(403, 'credential'),
  UnrelatedKeyIdInToken: facts(403, 'providerToken', true),
  BadEnvironmentKeyIdInToken: facts(403, 'credential', true),
  /** The spelling that servers really send for the one above [field]. */
  BadEnvironmentKeyInToken: facts(403, 'credential', true),
  BadPath: facts(404, 'notification'),
  MethodNotAllowed: facts(405, 'notification'),
  ExpiredToken: facts(410, 'deviceToken'),
  Unregistered: facts(410, 'deviceToken'),
  PayloadTooLarge: facts(413, 'notification'),
  TooManyProviderTokenUpdates: facts(429, 'throttled', true),
  TooManyRequests: facts(429, 'throttled'),
  InternalServerError: facts(500, 'server'),
  ServiceUnavailable: facts(503, 'server'),
  Shutdown: facts(503, 'server', true),
} as const satisfies Record<string, ReasonFacts>

/** The reasons Apple documents, in its own spelling. An answer may still carry another. */
export type KnownReason = keyof typeof REASONS

/** Says what a reason asks of us; for one we do not know, what its status says. */
export function factsOfReason(reason: string, status: number): ReasonFacts {
  if (Object.hasOwn(REASONS, reason)) return REASONS[reason as KnownReason]
  if (status === 403) return facts(status, 'credential', true)
  if (status === 410) return facts(status, 'deviceToken')
  if (status === 429) return facts(status, 'throttled')
  if (status >= 500) return facts(status, 'server')
  return facts(status, 'notification')
}
