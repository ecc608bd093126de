import forge from 'node-forge'

const { asn1 } = forge

/** Apple's marks in a push certificate; only the presence of the first two matters (their value is an ASN.1 NULL). */
export const APPLE_OIDS = {
  sandbox: '1.2.840.113635.100.6.3.1',
  production: '1.2.840.113635.100.6.3.2',
  voipTopics: '1.2.840.113635.100.6.3.4',
  topics: '1.2.840.113635.100.6.3.6',
} as const

/** Object identifier of the attribute UID in a certificate's subject: the main topic. */
export const UID_OID = '0.9.2342.19200300.100.1.1'

/** One topic of a universal certificate; `label` is `app`, `voip` or `complication`. */
export interface LabelledTopic {
  topic: string
  label: string
}

/** Encodes the value of extension …6.3.1 or …6.3.2: an ASN.1 NULL, as DER in a binary string. */
export function encodeMark(): string {
  return asn1.toDer(asn1.create(asn1.Class.UNIVERSAL, asn1.Type.NULL, false, '')).getBytes()
}

/**
 * Encodes the value of extension …6.3.6, as DER in a binary string:
 *
 *     30 24                                      SEQUENCE
 *        0C 06 "com.ex"         30 05 0C 03 "app"
 *        0C 0B "com.ex.voip"    30 06 0C 04 "voip"
 */
export function encodeTopics(topics: readonly LabelledTopic[]): string {
  const items = topics.flatMap(({ topic, label }) => [utf8(topic), sequence([utf8(label)])])
  return asn1.toDer(sequence(items)).getBytes()
}

/** Decodes extension …6.3.6: every UTF8String that stands directly in the SEQUENCE. */
export function decodeTopics(der: string): string[] {
  const value = asn1.fromDer(der)
  if (typeof value.value === 'string') return []
  return value.value.flatMap((item) =>
    item.type === asn1.Type.UTF8 && typeof item.value === 'string'
      ? [forge.util.decodeUtf8(item.value)]
      : [],
  )
}

/**
 * Decodes extension …6.3.4 of a VoIP certificate: one short string, topics separated by commas, after a two-byte DER
 * header. Seen in the field only, so read without a look at the type of the string.
 */
export function decodeVoipTopics(der: string): string[] {
  return der
    .slice(2)
    .split(',')
    .map((topic) => topic.trim())
    .filter((topic) => topic !== '')
}

function utf8(text: string): forge.asn1.Asn1 {
  return asn1.create(asn1.Class.UNIVERSAL, asn1.Type.UTF8, false, forge.util.encodeUtf8(text))
}

function sequence(items: forge.asn1.Asn1[]): forge.asn1.Asn1 {
  return asn1.create(asn1.Class.UNIVERSAL, asn1.Type.SEQUENCE, true, items)
}
