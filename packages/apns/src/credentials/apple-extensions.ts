import {
  contentOf,
  decodeDerElements,
  formatObjectIdentifier,
  TAG_OBJECT_IDENTIFIER,
  TAG_OCTET_STRING,
  TAG_SEQUENCE,
  TAG_UTF8_STRING,
} from './der.ts'

/** What Apple's certificate extensions say. Empty lists where the certificate has none of them. */
export interface AppleExtensions {
  readonly environments: ('sandbox' | 'production')[]
  readonly topics: string[]
}

/** Presence means: good for the sandbox. The value is NULL. [field] */
const OID_SANDBOX = '1.2.840.113635.100.6.3.1'
/** Presence means: good for production. */
const OID_PRODUCTION = '1.2.840.113635.100.6.3.2'
/** The topics of a VoIP certificate: one short string, separated by commas. [field] */
const OID_VOIP_TOPICS = '1.2.840.113635.100.6.3.4'
/** The topics of a universal certificate: a SEQUENCE of name and label in turn. */
const OID_TOPICS = '1.2.840.113635.100.6.3.6'

/** `[3] EXPLICIT Extensions` of a TBSCertificate. [RFC 5280 §4.1] */
const TAG_EXTENSIONS = 0xa3

/**
 * Reads Apple's extensions from a certificate in DER.
 *
 *     Certificate ── TBSCertificate ── [3] ── SEQUENCE ── Extension*  { OID, critical?, OCTET STRING }
 *
 * @throws {DerError} where the bytes are no certificate
 */
export function decodeAppleExtensions(certificate: Uint8Array): AppleExtensions {
  const values = decodeExtensions(certificate)
  const environments: AppleExtensions['environments'] = []
  if (values.has(OID_SANDBOX)) environments.push('sandbox')
  if (values.has(OID_PRODUCTION)) environments.push('production')
  const universal = values.get(OID_TOPICS)
  if (universal !== undefined) return { environments, topics: decodeTopicSequence(universal) }
  const voip = values.get(OID_VOIP_TOPICS)
  return { environments, topics: voip === undefined ? [] : decodeTopicString(voip) }
}

function decodeExtensions(certificate: Uint8Array): Map<string, Uint8Array> {
  const [outer] = decodeDerElements(certificate)
  const [tbsCertificate] = decodeDerElements(contentOf(outer, TAG_SEQUENCE, 'a certificate'))
  const fields = decodeDerElements(contentOf(tbsCertificate, TAG_SEQUENCE, 'a TBSCertificate'))
  const wrapper = fields.find((field) => field.tag === TAG_EXTENSIONS)
  if (wrapper === undefined) return new Map()
  const [list] = decodeDerElements(wrapper.content)
  const values = new Map<string, Uint8Array>()
  for (const extension of decodeDerElements(contentOf(list, TAG_SEQUENCE, 'extensions'))) {
    const parts = decodeDerElements(extension.content)
    const id = contentOf(parts[0], TAG_OBJECT_IDENTIFIER, 'an extension identifier')
    values.set(
      formatObjectIdentifier(id),
      contentOf(parts.at(-1), TAG_OCTET_STRING, 'an extension value'),
    )
  }
  return values
}

/** The names are the direct UTF8Strings; the labels (`app`, `voip`, `complication`) lie one level deeper. */
function decodeTopicSequence(value: Uint8Array): string[] {
  const [sequence] = decodeDerElements(value)
  return decodeDerElements(contentOf(sequence, TAG_SEQUENCE, 'a list of topics'))
    .filter((element) => element.tag === TAG_UTF8_STRING)
    .map((element) => new TextDecoder().decode(element.content))
}

function decodeTopicString(value: Uint8Array): string[] {
  const [text] = decodeDerElements(value)
  return new TextDecoder()
    .decode(text?.content)
    .split(',')
    .map((topic) => topic.trim())
    .filter((topic) => topic !== '')
}
