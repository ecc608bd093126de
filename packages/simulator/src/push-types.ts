/** Says what Apple asks of a push type: the end of its topic, and the bounds of its payload. */
export interface PushTypeRule {
  /** What follows the bundle ID in the topic; empty for none. */
  topicSuffix: string
  /** Inclusive, of the UTF-8 body. */
  maxPayloadBytes: number
  /** Refused on a connection with a client certificate, whatever topics the certificate lists. */
  providerTokenOnly: boolean
}

function makeRule(
  topicSuffix: string,
  maxPayloadBytes = 4096,
  providerTokenOnly = false,
): PushTypeRule {
  return { topicSuffix, maxPayloadBytes, providerTokenOnly }
}

/**
 * Holds the rule of every push type.
 * @see Apple, "Sending notification requests to APNs"; shared reference, section 3.
 */
export const PUSH_TYPES: ReadonlyMap<string, PushTypeRule> = new Map([
  ['alert', makeRule('')],
  ['background', makeRule('')],
  ['voip', makeRule('.voip', 5120)],
  ['complication', makeRule('.complication')],
  ['fileprovider', makeRule('.pushkit.fileprovider')],
  ['mdm', makeRule('')],
  ['liveactivity', makeRule('.push-type.liveactivity')],
  ['location', makeRule('.location-query', 4096, true)],
  ['pushtotalk', makeRule('.voip-ptt')],
  ['widgets', makeRule('.push-type.widgets')],
  ['controls', makeRule('.push-type.controls')],
])

const RULES_WITH_SUFFIX = [...PUSH_TYPES.values()].filter((rule) => rule.topicSuffix !== '')
const PLAIN_RULE = makeRule('')
const MDM_TOPIC_PREFIX = 'com.apple.mgmt.'

/** Finds the rule that a topic's ending asks for: what counts when a request names no push type. */
export function ruleOfTopic(topic: string): PushTypeRule {
  return RULES_WITH_SUFFIX.find((rule) => topic.endsWith(rule.topicSuffix)) ?? PLAIN_RULE
}

/** Cuts the push type's ending off a topic: `com.example.app.voip` → `com.example.app`. */
export function bundleIdOfTopic(topic: string): string {
  const { topicSuffix } = ruleOfTopic(topic)
  return topicSuffix === '' ? topic : topic.slice(0, -topicSuffix.length)
}

/** Tells whether a topic may carry a push type, by its ending alone. A topic that names no push type carries any. */
export function topicFitsPushType(topic: string, pushType: string | undefined): boolean {
  if (pushType === undefined) return true
  if (pushType === 'mdm') return topic.startsWith(MDM_TOPIC_PREFIX)
  return ruleOfTopic(topic).topicSuffix === (PUSH_TYPES.get(pushType) ?? PLAIN_RULE).topicSuffix
}
