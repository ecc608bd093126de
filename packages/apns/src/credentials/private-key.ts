import { createPrivateKey, type KeyObject } from 'node:crypto'
import { CredentialError } from '../errors.ts'
import {
  contentOf,
  DerError,
  decodeDerElements,
  decodeFirstDerElement,
  TAG_OCTET_STRING,
  TAG_SEQUENCE,
} from './der.ts'
import { type Passphrase, passphraseForms } from './passphrase.ts'
import { decodeAlgorithm, decryptByAlgorithm, decryptPem } from './password-encryption.ts'
import type { PemBlock } from './pem.ts'
import type { WorkBudget } from './work-budget.ts'

/** How node:crypto names what is in a block, by its label. */
const TYPES: Record<string, KeyType> = {
  'PRIVATE KEY': 'pkcs8',
  'ENCRYPTED PRIVATE KEY': 'pkcs8',
  'RSA PRIVATE KEY': 'pkcs1',
  'EC PRIVATE KEY': 'sec1',
}

export const isPrivateKey = ({ label }: PemBlock): boolean => label.endsWith('PRIVATE KEY')

export const isEncrypted = ({ label, encryption }: PemBlock): boolean =>
  label === 'ENCRYPTED PRIVATE KEY' || encryption !== null

/**
 * Reads a private key, decrypting it where it is encrypted.
 * @param passphrase undefined or empty where there is none
 * @throws {CredentialError} key-unreadable, passphrase-missing, passphrase-wrong, encryption-unsupported,
 *   pkcs12-library-missing
 */
export function openPrivateKey(
  block: PemBlock,
  passphrase: string | undefined,
  budget: WorkBudget,
): KeyObject {
  const type = TYPES[block.label]
  if (block.der === null)
    throw new CredentialError(
      'key-unreadable',
      'The private key cannot be read: its text is cut off or no base64.',
    )
  if (type === undefined)
    throw new CredentialError(
      'key-unreadable',
      `The private key is in a form that is not read here: ${block.label}.`,
    )
  if (isEncrypted(block)) return openEncrypted(block, block.der, type, passphrase, budget)
  try {
    return parseKey(block.der, type)
  } catch (cause) {
    throw new CredentialError('key-unreadable', 'The private key cannot be read.', cause)
  }
}

type KeyType = 'pkcs8' | 'pkcs1' | 'sec1'

const parseKey = (der: Uint8Array, type: KeyType): KeyObject =>
  createPrivateKey({ key: Buffer.from(der), format: 'der', type })

function openEncrypted(
  block: PemBlock,
  encrypted: Uint8Array,
  type: KeyType,
  passphrase: string | undefined,
  budget: WorkBudget,
): KeyObject {
  for (const form of passphraseForms(passphrase)) {
    const der = decrypt(block, encrypted, form, budget)
    try {
      if (der !== null) return parseKey(der, type)
    } catch {
      // of 256 wrong passphrases one leaves something that looks padded
    }
  }
  if (passphrase === undefined || passphrase === '')
    throw new CredentialError(
      'passphrase-missing',
      'The private key is encrypted with a passphrase, and none is given.',
    )
  throw new CredentialError(
    'passphrase-wrong',
    'The passphrase does not open the private key, or the key is damaged.',
  )
}

function decrypt(
  { encryption }: PemBlock,
  encrypted: Uint8Array,
  passphrase: Passphrase,
  budget: WorkBudget,
): Buffer | null {
  if (encryption !== null) return decryptPem(encryption, encrypted, passphrase, budget)
  try {
    // EncryptedPrivateKeyInfo ::= SEQUENCE { algorithm, OCTET STRING } [RFC 5208 §6]
    const outer = contentOf(decodeFirstDerElement(encrypted), TAG_SEQUENCE, 'an encrypted key')
    const [algorithm, content] = decodeDerElements(outer)
    const bytes = contentOf(content, TAG_OCTET_STRING, 'its bytes')
    return decryptByAlgorithm(decodeAlgorithm(algorithm), bytes, passphrase, budget)
  } catch (error) {
    if (!(error instanceof DerError)) throw error
    throw new CredentialError('key-unreadable', 'The private key is damaged.', error)
  }
}
