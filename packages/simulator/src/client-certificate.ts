import type { X509Certificate } from 'node:crypto'
import forge from 'node-forge'
import { APPLE_OIDS, decodeTopics, decodeVoipTopics, UID_OID } from './apple-extensions.ts'
import type { Authority } from './authority.ts'
import { ENVIRONMENTS, type Environment } from './environment.ts'

const { asn1 } = forge
/** `[3] EXPLICIT Extensions` [RFC 5280 §4.1] */
const EXTENSIONS_TAG = 3

/** Says what a client certificate entitles a connection to. */
export interface CertificateIdentity {
  /** Whether our authority signed it; false leaves it without topics and environments. */
  trusted: boolean
  /** Topics that it may push to. */
  topics: readonly string[]
  /** Topic of a request that names none: only where the certificate has a single one. */
  defaultTopic: string | null
  environments: readonly Environment[]
  notBeforeMs: number
  notAfterMs: number
}

/**
 * Reads what a client certificate is good for. Dates are handed on, since they are compared with the clock at each
 * request; only a certificate of our own authority is taken apart.
 * @see shared reference, section 6.3.
 */
export function readClientCertificate(
  certificate: X509Certificate,
  authority: Authority,
): CertificateIdentity {
  const rights = authority.issued(certificate) ? readRights(certificate) : null
  const { topics, environments } = rights ?? { topics: [], environments: [] }
  return {
    trusted: rights !== null,
    topics,
    defaultTopic: topics.length === 1 ? (topics[0] ?? null) : null,
    environments,
    notBeforeMs: certificate.validFromDate.getTime(),
    notAfterMs: certificate.validToDate.getTime(),
  }
}

/** Null when the DER makes no sense: somebody else's tool has signed with our authority's key. */
function readRights(
  certificate: X509Certificate,
): Pick<CertificateIdentity, 'topics' | 'environments'> | null {
  try {
    const { uid, extensions } = readFields(certificate)
    return { topics: topicsOf(uid, extensions), environments: environmentsOf(extensions) }
  } catch {
    return null
  }
}

interface Fields {
  uid: string | null
  /** Object identifier → value, DER in a binary string. */
  extensions: ReadonlyMap<string, string>
}

function topicsOf(uid: string | null, extensions: Fields['extensions']): string[] {
  const universal = extensions.get(APPLE_OIDS.topics)
  if (universal !== undefined) return decodeTopics(universal)
  const voip = extensions.get(APPLE_OIDS.voipTopics)
  if (voip !== undefined) return decodeVoipTopics(voip)
  return uid === null ? [] : [uid]
}

/** Certificates without Apple's marks (website, MDM, pass) work in production. */
function environmentsOf(extensions: Fields['extensions']): Environment[] {
  const marked = ENVIRONMENTS.filter((environment) => extensions.has(APPLE_OIDS[environment]))
  return marked.length > 0 ? marked : ['production']
}

/**
 * Walks the DER, since Node shows no arbitrary extensions and node-forge's own reader takes RSA keys only:
 *
 *     Certificate    ::= SEQUENCE { tbsCertificate, signatureAlgorithm, signature }
 *     TBSCertificate ::= SEQUENCE { [0] version, serial, algorithm, issuer, validity, subject, key, …, [3] extensions }
 */
function readFields(certificate: X509Certificate): Fields {
  const root = asn1.fromDer(certificate.raw.toString('latin1'))
  const parts = children(children(root)[0])
  const subject = parts[5]
  const list = parts.find(
    (part) => part.tagClass === asn1.Class.CONTEXT_SPECIFIC && tagOf(part) === EXTENSIONS_TAG,
  )
  return { uid: readUid(subject), extensions: readExtensions(children(list)[0]) }
}

/** Name ::= SEQUENCE OF SET OF SEQUENCE { type OBJECT IDENTIFIER, value } */
function readUid(subject: forge.asn1.Asn1 | undefined): string | null {
  for (const attribute of children(subject).flatMap(children)) {
    const [type, value] = children(attribute)
    if (oid(type) === UID_OID) return forge.util.decodeUtf8(bytes(value))
  }
  return null
}

/** Extension ::= SEQUENCE { id OBJECT IDENTIFIER, critical BOOLEAN DEFAULT FALSE, value OCTET STRING } */
function readExtensions(list: forge.asn1.Asn1 | undefined): Map<string, string> {
  return new Map(
    children(list).map((extension) => {
      const parts = children(extension)
      return [oid(parts[0]), bytes(parts.at(-1))]
    }),
  )
}

/** node-forge's types know universal tags only. */
function tagOf(node: forge.asn1.Asn1): number {
  return node.type
}

function children(node: forge.asn1.Asn1 | undefined): forge.asn1.Asn1[] {
  return node === undefined || typeof node.value === 'string' ? [] : node.value
}

/** node-forge reads a string that happens to hold DER as a tree, so it has to be put back. */
function bytes(node: forge.asn1.Asn1 | undefined): string {
  if (node === undefined) return ''
  if (typeof node.value === 'string') return node.value
  return node.value.map((child) => asn1.toDer(child).getBytes()).join('')
}

function oid(node: forge.asn1.Asn1 | undefined): string {
  return node?.type === asn1.Type.OID && typeof node.value === 'string'
    ? asn1.derToOid(node.value)
    : ''
}
