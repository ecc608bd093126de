import {
  contentOf,
  type DerElement,
  DerError,
  decodeDerElements,
  decodeFirstDerElement,
  TAG_BIT_STRING,
  TAG_INTEGER,
  TAG_OBJECT_IDENTIFIER,
  TAG_OCTET_STRING,
  TAG_SEQUENCE,
} from './der.ts'

/** A `PFX` begins with the version 3 and a `ContentInfo`, behind a length of any form, or none where it is BER. */
const PKCS12_START = /^30(?:80|[0-7].|81..|82.{4}|83.{6}|84.{8})02010330/

/**
 * Says by its shape what a DER file holds, in the words of PEM: `CERTIFICATE`, `PKCS12`, `PRIVATE KEY`, …
 * @returns null where it is nothing that is known here
 */
export function labelOfDer(bytes: Uint8Array): string | null {
  const start = Buffer.from(bytes.buffer, bytes.byteOffset, Math.min(bytes.length, 12))
  if (PKCS12_START.test(start.toString('hex'))) return 'PKCS12'
  try {
    const outer = contentOf(decodeFirstDerElement(bytes), TAG_SEQUENCE, 'a SEQUENCE')
    return labelOfElements(decodeDerElements(outer))
  } catch (error) {
    if (error instanceof DerError) return null
    throw error
  }
}

function labelOfElements(elements: DerElement[]): string | null {
  const [first, second, third] = elements
  if (first === undefined) return null
  if (first.tag === TAG_OBJECT_IDENTIFIER) return 'PKCS7'
  if (first.tag === TAG_INTEGER) {
    if (second?.tag === TAG_INTEGER) return 'RSA PRIVATE KEY'
    if (second?.tag === TAG_OCTET_STRING) return 'EC PRIVATE KEY'
    return second?.tag === TAG_SEQUENCE && third?.tag === TAG_OCTET_STRING ? 'PRIVATE KEY' : null
  }
  if (first.tag !== TAG_SEQUENCE) return null
  if (second?.tag === TAG_OCTET_STRING) return 'ENCRYPTED PRIVATE KEY'
  if (second?.tag === TAG_BIT_STRING) return 'PUBLIC KEY'
  if (second?.tag !== TAG_SEQUENCE || third?.tag !== TAG_BIT_STRING) return null
  // a CertificationRequestInfo has four fields, a TBSCertificate six or more [RFC 2986 §4.1, RFC 5280 §4.1]
  return decodeDerElements(first.content).length <= 4 ? 'CERTIFICATE REQUEST' : 'CERTIFICATE'
}
