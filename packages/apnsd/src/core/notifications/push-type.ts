import { PUSH_TYPES, type PushType } from '@apnsd/apns'
import { apsOf, type JsonObject } from './payload.ts'

/** Topics of Mobile Device Management: the UID of its push certificate. */
const MDM_TOPIC_PREFIX = 'com.apple.mgmt.'

const TYPES_WITH_SUFFIX = (Object.keys(PUSH_TYPES) as PushType[]).filter(
  (type) => PUSH_TYPES[type].topicSuffix !== '',
)

/**
 * Derives the push type.
 *
 * The topic comes first: one that ends in a push type's suffix (`com.example.app.voip`) or is an MDM certificate's can
 * only mean that type. Otherwise a payload whose `aps` has Live Activity's `content-state` is `liveactivity`, one with
 * `content-changed` is `widgets`, one with `content-available: 1` and nothing that a person would see or hear is
 * `background`, and all others are `alert`.
 */
export function derivePushType(topic: string, payload: JsonObject): PushType {
  return pushTypeOfTopic(topic) ?? pushTypeOfPayload(payload)
}

function pushTypeOfTopic(topic: string): PushType | null {
  if (topic.startsWith(MDM_TOPIC_PREFIX)) return 'mdm'
  return TYPES_WITH_SUFFIX.find((type) => topic.endsWith(PUSH_TYPES[type].topicSuffix)) ?? null
}

function pushTypeOfPayload(payload: JsonObject): PushType {
  const aps = apsOf(payload)
  if (aps === null) return 'mdm' in payload ? 'mdm' : 'alert'
  if ('content-state' in aps || 'attributes-type' in aps) return 'liveactivity'
  if (aps['content-changed'] === true) return 'widgets'
  const isSilent = !('alert' in aps) && !('sound' in aps) && !('badge' in aps)
  return isSilent && isOne(aps['content-available']) ? 'background' : 'alert'
}

/** Applications write Apple's 1 as a number, and now and then as `true`. */
const isOne = (value: unknown): boolean => value === 1 || value === true || value === 1n
