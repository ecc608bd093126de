import { contentOf, type DerElement, DerError, decodeDerElements } from './der.ts'
import { rewriteBer } from './forge.ts'

/** The bit of a tag that says: this string is in pieces. */
const CONSTRUCTED = 0x20
const TAG_OCTET_STRING = 0x04

/**
 * Rewrites BER as DER, as far as lengths go: those of NSS' and Windows' files are known at the end only. Strings in
 * pieces stay in pieces, see {@link joinOctets}.
 * @throws {DerError} where it is no BER
 * @throws {CredentialError} pkcs12-library-missing
 */
export function decodeBer(bytes: Uint8Array): Buffer {
  const der = rewriteBer(bytes)
  if (der === null) throw new DerError('no BER')
  return der
}

/**
 * Gives the bytes of an OCTET STRING, be it whole or in pieces. [X.690 §8.7]
 * @param tag that of the whole one: its own or, where it is IMPLICIT, another
 * @throws {DerError} where it is none
 */
export function joinOctets(element: DerElement | undefined, tag: number): Buffer {
  if (element?.tag !== (tag | CONSTRUCTED))
    return Buffer.from(contentOf(element, tag, 'an OCTET STRING'))
  const pieces = decodeDerElements(element.content)
  return Buffer.concat(pieces.map((piece) => joinOctets(piece, TAG_OCTET_STRING)))
}
