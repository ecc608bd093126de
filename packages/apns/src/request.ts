import type { RequestFields } from './http2/request-encoder.ts'
import type { PushType } from './push-types.ts'

/** A notification as it goes to Apple, every header decided. */
export interface ApnsNotification {
  /** Lower-case hex, no blanks. */
  readonly deviceToken: string
  /** The JSON body, UTF-8. */
  readonly payload: string | Uint8Array
  /** The whole topic, push type's suffix included. */
  readonly topic: string
  readonly pushType: PushType
  /** 10 at once, 5 with regard to the device's power, 1 power before all; absent: Apple takes 10. */
  readonly priority?: 10 | 5 | 1 | undefined
  /** UNIX seconds; 0: one attempt, never stored; absent: Apple's own storage policy, at most 30 days. */
  readonly expirationEpochS?: number | undefined
  /** At most 64 bytes. */
  readonly collapseId?: string | undefined
  /** Canonical UUID, lower case. */
  readonly apnsId: string
}

/**
 * Writes the header fields of a request.
 * @param authorization the provider token's field; null on a connection that showed a certificate
 * @see Apple, "Sending notification requests to APNs"
 */
export function formatRequestFields(
  notification: ApnsNotification,
  authority: string,
  authorization: string | null,
): RequestFields {
  const fields: Record<string, string> = {
    ':method': 'POST',
    ':scheme': 'https',
    ':authority': authority,
    ':path': `/3/device/${notification.deviceToken}`,
  }
  if (authorization !== null) fields['authorization'] = authorization
  fields['apns-topic'] = notification.topic
  fields['apns-push-type'] = notification.pushType
  fields['apns-id'] = notification.apnsId
  if (notification.priority !== undefined) fields['apns-priority'] = String(notification.priority)
  if (notification.expirationEpochS !== undefined)
    fields['apns-expiration'] = String(notification.expirationEpochS)
  if (notification.collapseId !== undefined) fields['apns-collapse-id'] = notification.collapseId
  return fields
}
