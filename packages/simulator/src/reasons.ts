/**
 * Gives each of Apple's reasons its HTTP status.
 * @see Apple, "Handling notification responses from APNs"; shared reference, section 2.
 */
export const REASON_STATUS = {
  BadCollapseId: 400,
  BadDeviceToken: 400,
  BadExpirationDate: 400,
  BadMessageId: 400,
  BadPriority: 400,
  BadTopic: 400,
  DeviceTokenNotForTopic: 400,
  DuplicateHeaders: 400,
  IdleTimeout: 400,
  InvalidPushType: 400,
  MissingDeviceToken: 400,
  MissingTopic: 400,
  PayloadEmpty: 400,
  TopicDisallowed: 400,
  BadCertificate: 403,
  BadCertificateEnvironment: 403,
  BadEnvironmentKeyIdInToken: 403,
  /** The spelling that servers really send for the line above, so the one we answer with. */
  BadEnvironmentKeyInToken: 403,
  ExpiredProviderToken: 403,
  Forbidden: 403,
  InvalidProviderToken: 403,
  MissingProviderToken: 403,
  UnrelatedKeyIdInToken: 403,
  BadPath: 404,
  MethodNotAllowed: 405,
  ExpiredToken: 410,
  Unregistered: 410,
  PayloadTooLarge: 413,
  TooManyProviderTokenUpdates: 429,
  TooManyRequests: 429,
  InternalServerError: 500,
  ServiceUnavailable: 503,
  Shutdown: 503,
} as const

/** Names a reason in Apple's spelling. */
export type Reason = keyof typeof REASON_STATUS

/** Looks up the status of a reason that came from outside; undefined when Apple has no such reason. */
export function statusOfReason(reason: string): number | undefined {
  return Object.hasOwn(REASON_STATUS, reason) ? REASON_STATUS[reason as Reason] : undefined
}
