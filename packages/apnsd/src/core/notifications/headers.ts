import { PUSH_TYPES, type PushType } from '@apnsd/apns'
import { apsOf, type JsonObject } from './payload.ts'

/** The headers of a notification that nobody should have to write: what the payload and the app's topic tell. */
export interface DerivedHeaders {
  readonly pushType: PushType
  readonly priority: 10 | 5
}

/** Topics of Mobile Device Management: the UID of its push certificate. */
const MDM_TOPIC_PREFIX = 'com.apple.mgmt.'

/**
 * Derives push type and priority.
 *
 * The topic comes first: one that ends in a push type's suffix (`com.example.app.voip`) or is an MDM certificate's can
 * only mean that type. Otherwise a payload whose `aps` has Live Activity's `content-state` is `liveactivity`, one with
 * `content-changed` is `widgets`, one with `content-available: 1` and nothing that a person would see or hear is
 * `background`, and all others are `alert`.
 *
 * Priority is 5 for `background`, where Apple refuses 10, and 10 for the rest: what is sent is to arrive.
 */
export function deriveHeaders(topic: string, payload: JsonObject): DerivedHeaders {
  const pushType = pushTypeOfTopic(topic) ?? pushTypeOfPayload(payload)
  return { pushType, priority: pushType === 'background' ? 5 : 10 }
}

function pushTypeOfTopic(topic: string): PushType | null {
  if (topic.startsWith(MDM_TOPIC_PREFIX)) return 'mdm'
  const types = Object.keys(PUSH_TYPES) as PushType[]
  return (
    types.find((type) => {
      const { topicSuffix } = PUSH_TYPES[type]
      return topicSuffix !== '' && topic.endsWith(topicSuffix)
    }) ?? null
  )
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
