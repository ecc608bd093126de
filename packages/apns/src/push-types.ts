/**
 * Apple's push types: the suffix each adds to the bundle identifier to make the topic, and how large its payload may be.
 *
 * [Apple, "Sending notification requests to APNs", apns-push-type; "Generating a remote notification", sizes]
 */
export interface PushTypeFacts {
  /** Appended to the bundle identifier; empty where the topic is the bundle identifier itself. */
  readonly topicSuffix: string
  /** Bytes of UTF-8 JSON, inclusive. */
  readonly maxPayloadBytes: number
}

const KIB = 1024

export const PUSH_TYPES = {
  alert: { topicSuffix: '', maxPayloadBytes: 4 * KIB },
  background: { topicSuffix: '', maxPayloadBytes: 4 * KIB },
  voip: { topicSuffix: '.voip', maxPayloadBytes: 5 * KIB },
  complication: { topicSuffix: '.complication', maxPayloadBytes: 4 * KIB },
  fileprovider: { topicSuffix: '.pushkit.fileprovider', maxPayloadBytes: 4 * KIB },
  mdm: { topicSuffix: '', maxPayloadBytes: 4 * KIB },
  liveactivity: { topicSuffix: '.push-type.liveactivity', maxPayloadBytes: 4 * KIB },
  location: { topicSuffix: '.location-query', maxPayloadBytes: 4 * KIB },
  pushtotalk: { topicSuffix: '.voip-ptt', maxPayloadBytes: 4 * KIB },
  widgets: { topicSuffix: '.push-type.widgets', maxPayloadBytes: 4 * KIB },
  controls: { topicSuffix: '.push-type.controls', maxPayloadBytes: 4 * KIB },
} as const satisfies Record<string, PushTypeFacts>

export type PushType = keyof typeof PUSH_TYPES

/** Makes the topic of a push type from an app's own topic; one that already ends in the suffix stays as it is. */
export function topicFor(pushType: PushType, appTopic: string): string {
  const suffix = PUSH_TYPES[pushType].topicSuffix
  return appTopic.endsWith(suffix) ? appTopic : appTopic + suffix
}
