import { CredentialError } from '../errors.ts'
import { decodeBer, joinOctets } from './ber.ts'
import {
  contentOf,
  type DerElement,
  DerError,
  decodeDerElements,
  decodeFirstDerElement,
  formatObjectIdentifier,
  TAG_CONTEXT_0,
  TAG_OBJECT_IDENTIFIER,
  TAG_OCTET_STRING,
  TAG_SEQUENCE,
} from './der.ts'
import { labelOfDer } from './der-label.ts'
import { type Passphrase, passphraseForms } from './passphrase.ts'
import { decodeAlgorithm, decryptByAlgorithm } from './password-encryption.ts'
import { decodePkcs12Mac, isMacOf, type Pkcs12Mac } from './pkcs12-mac.ts'
import type { WorkBudget } from './work-budget.ts'

/** What a PKCS#12 file holds, in its order. */
export interface Pkcs12Contents {
  /** DER of X.509 certificates. */
  readonly certificates: Uint8Array[]
  /** DER of PKCS#8, decrypted. */
  readonly keys: Uint8Array[]
}

const DATA = '1.2.840.113549.1.7.1'
const ENCRYPTED_DATA = '1.2.840.113549.1.7.6'
const KEY_BAG = '1.2.840.113549.1.12.10.1.1'
const SHROUDED_KEY_BAG = '1.2.840.113549.1.12.10.1.2'
const CERTIFICATE_BAG = '1.2.840.113549.1.12.10.1.3'
const SAFE_CONTENTS_BAG = '1.2.840.113549.1.12.10.1.6'
const X509_CERTIFICATE = '1.2.840.113549.1.9.22.1'

/** `[0] IMPLICIT OCTET STRING`, whole; in pieces it is {@link TAG_CONTEXT_0}. */
const TAG_IMPLICIT_0 = 0x80

/**
 * Opens a PKCS#12 file and gives the certificates and keys in it; whatever else it holds is passed over.
 *
 *     PFX ─┬─ version 3
 *          ├─ AuthenticatedSafe ── ContentInfo*: data or encryptedData ── SafeContents ── SafeBag*
 *          └─ MacData: over the AuthenticatedSafe, with a key from the passphrase
 *     SafeBag: keyBag (PKCS#8) | pkcs8ShroudedKeyBag (encrypted PKCS#8) | certBag | safeContentsBag (SafeBag*) | …
 *
 * The MAC tells a wrong passphrase from a damaged file; where there is none, whatever does not open is taken for a wrong
 * passphrase.
 *
 * @param passphrase undefined or empty where there is none: files without one are written in two ways, both are tried
 * @throws {CredentialError} pkcs12-unreadable, passphrase-missing, passphrase-wrong, encryption-unsupported,
 *   pkcs12-library-missing
 * @see RFC 7292 §4, §5
 */
export function openPkcs12(
  file: Uint8Array,
  passphrase: string | undefined,
  budget: WorkBudget,
): Pkcs12Contents {
  const forms = passphraseForms(passphrase)
  try {
    const { authenticatedSafe, mac } = decodePfx(file)
    for (const form of forms) {
      if (mac !== null && !isMacOf(mac, authenticatedSafe, form, budget)) continue
      const contents = new SafeOpener(form, budget).open(authenticatedSafe)
      if (contents !== null) return contents
      if (mac !== null)
        throw new CredentialError(
          'pkcs12-unreadable',
          'The PKCS#12 file is encrypted with another passphrase than the one that guards it against changes.',
        )
    }
  } catch (error) {
    if (!(error instanceof DerError)) throw error
    throw new CredentialError(
      'pkcs12-unreadable',
      'The PKCS#12 file cannot be read: it is cut off, damaged, or no such file.',
      error,
    )
  }
  if (forms[0]?.bytes.length === 0)
    throw new CredentialError(
      'passphrase-missing',
      'The PKCS#12 file is protected by a passphrase.',
    )
  throw new CredentialError('passphrase-wrong', 'The passphrase does not open the PKCS#12 file.')
}

function decodePfx(file: Uint8Array): { authenticatedSafe: Buffer; mac: Pkcs12Mac | null } {
  const outer = contentOf(decodeFirstDerElement(decodeBer(file)), TAG_SEQUENCE, 'a PFX')
  const [, safe, mac] = decodeDerElements(outer)
  const { type, content } = decodeContentInfo(safe)
  if (type !== DATA)
    throw new CredentialError(
      'encryption-unsupported',
      'The PKCS#12 file is guarded by a signature in place of a passphrase, which is not read here.',
    )
  return {
    authenticatedSafe: joinOctets(content, TAG_OCTET_STRING),
    mac: mac === undefined ? null : decodePkcs12Mac(mac),
  }
}

/** `SEQUENCE { contentType OBJECT IDENTIFIER, content [0] EXPLICIT }` */
function decodeContentInfo(element: DerElement | undefined) {
  const [type, content] = decodeDerElements(contentOf(element, TAG_SEQUENCE, 'a ContentInfo'))
  return {
    type: formatObjectIdentifier(contentOf(type, TAG_OBJECT_IDENTIFIER, 'a content type')),
    content: decodeFirstDerElement(contentOf(content, TAG_CONTEXT_0, 'a content')),
  }
}

/** What the passphrase does not open; or it opens to something that is nothing. */
class NotOpened extends Error {}

/** Opens the safes of a PKCS#12 file with one form of a passphrase. */
class SafeOpener {
  readonly #passphrase: Passphrase
  readonly #budget: WorkBudget
  readonly #contents: Pkcs12Contents = { certificates: [], keys: [] }

  constructor(passphrase: Passphrase, budget: WorkBudget) {
    this.#passphrase = passphrase
    this.#budget = budget
  }

  /**
   * @returns null where the passphrase does not open it
   * @throws {DerError} where something that is not encrypted is malformed
   */
  open(authenticatedSafe: Uint8Array): Pkcs12Contents | null {
    try {
      const safe = decodeFirstDerElement(decodeBer(authenticatedSafe))
      for (const info of decodeDerElements(contentOf(safe, TAG_SEQUENCE, 'a safe'))) {
        const { type, content } = decodeContentInfo(info)
        if (type === DATA) this.#readSafeContents(joinOctets(content, TAG_OCTET_STRING))
        else if (type === ENCRYPTED_DATA) this.#openEncryptedData(content)
        else
          throw new CredentialError(
            'encryption-unsupported',
            'The PKCS#12 file is encrypted for the holder of a key, not with a passphrase, which is not read here.',
          )
      }
      return this.#contents
    } catch (error) {
      if (error instanceof NotOpened) return null
      throw error
    }
  }

  /** `SEQUENCE { version, SEQUENCE { contentType, algorithm, content [0] IMPLICIT OCTET STRING } }` [RFC 2315 §13] */
  #openEncryptedData(element: DerElement): void {
    const [, info] = decodeDerElements(contentOf(element, TAG_SEQUENCE, 'EncryptedData'))
    const [, algorithm, content] = decodeDerElements(
      contentOf(info, TAG_SEQUENCE, 'an EncryptedContentInfo'),
    )
    const opened = this.#decrypt(algorithm, joinOctets(content, TAG_IMPLICIT_0))
    try {
      this.#readSafeContents(opened)
    } catch (error) {
      // of 256 wrong passphrases one leaves something that looks padded
      if (error instanceof DerError) throw new NotOpened()
      throw error
    }
  }

  #readSafeContents(bytes: Uint8Array): void {
    this.#readBags(decodeFirstDerElement(decodeBer(bytes)))
  }

  /** `SEQUENCE OF SEQUENCE { bagId OBJECT IDENTIFIER, bagValue [0] EXPLICIT, attributes OPTIONAL }` */
  #readBags(safeContents: DerElement): void {
    for (const bag of decodeDerElements(contentOf(safeContents, TAG_SEQUENCE, 'SafeContents'))) {
      const [id, wrapper] = decodeDerElements(contentOf(bag, TAG_SEQUENCE, 'a SafeBag'))
      const type = formatObjectIdentifier(contentOf(id, TAG_OBJECT_IDENTIFIER, 'a bag’s type'))
      const value = contentOf(wrapper, TAG_CONTEXT_0, 'a bag’s value')
      if (type === KEY_BAG) this.#contents.keys.push(value)
      else if (type === SHROUDED_KEY_BAG) this.#openKey(decodeFirstDerElement(value))
      else if (type === CERTIFICATE_BAG) this.#readCertificate(decodeFirstDerElement(value))
      else if (type === SAFE_CONTENTS_BAG) this.#readBags(decodeFirstDerElement(value))
    }
  }

  /** `SEQUENCE { algorithm, OCTET STRING }` [RFC 5208 §6] */
  #openKey(element: DerElement): void {
    const [algorithm, content] = decodeDerElements(
      contentOf(element, TAG_SEQUENCE, 'an EncryptedPrivateKeyInfo'),
    )
    const key = this.#decrypt(algorithm, joinOctets(content, TAG_OCTET_STRING))
    if (labelOfDer(key) !== 'PRIVATE KEY') throw new NotOpened()
    this.#contents.keys.push(key)
  }

  /** `SEQUENCE { certId OBJECT IDENTIFIER, certValue [0] EXPLICIT OCTET STRING }` */
  #readCertificate(element: DerElement): void {
    const [id, value] = decodeDerElements(contentOf(element, TAG_SEQUENCE, 'a CertBag'))
    const type = contentOf(id, TAG_OBJECT_IDENTIFIER, 'a certificate’s type')
    if (formatObjectIdentifier(type) !== X509_CERTIFICATE) return
    const wrapped = decodeFirstDerElement(contentOf(value, TAG_CONTEXT_0, 'a certificate'))
    this.#contents.certificates.push(joinOctets(wrapped, TAG_OCTET_STRING))
  }

  #decrypt(algorithm: DerElement | undefined, encrypted: Uint8Array): Buffer {
    const opened = decryptByAlgorithm(
      decodeAlgorithm(algorithm),
      encrypted,
      this.#passphrase,
      this.#budget,
    )
    if (opened === null) throw new NotOpened()
    return opened
  }
}
