import { createHmac } from 'node:crypto'
import { CredentialError } from '../errors.ts'
import {
  contentOf,
  type DerElement,
  DerError,
  decodeDerElements,
  decodeDerInteger,
  TAG_INTEGER,
  TAG_OCTET_STRING,
  TAG_SEQUENCE,
} from './der.ts'
import { DERIVE_MAC_KEY, derivePkcs12Key, type ForgeHash } from './forge.ts'
import type { Passphrase } from './passphrase.ts'
import {
  type AlgorithmIdentifier,
  decodeAlgorithm,
  deriveByAlgorithm,
  hashOfHmac,
} from './password-encryption.ts'
import type { WorkBudget } from './work-budget.ts'

/** What guards a PKCS#12 file against changes. [RFC 7292 §4] */
export interface Pkcs12Mac {
  readonly algorithm: AlgorithmIdentifier
  readonly digest: Uint8Array
  readonly salt: Uint8Array
  readonly rounds: number
}

const PBMAC1 = '1.2.840.113549.1.5.14'

/** As long as the longest hash. */
const MAX_MAC_KEY_BYTES = 64

/** The hashes in whose name the MAC is made; its key is as long as the hash. */
const HASHES: Record<string, { hash: ForgeHash; bytes: number }> = {
  '1.2.840.113549.2.5': { hash: 'md5', bytes: 16 },
  '1.3.14.3.2.26': { hash: 'sha1', bytes: 20 },
  '2.16.840.1.101.3.4.2.1': { hash: 'sha256', bytes: 32 },
  '2.16.840.1.101.3.4.2.2': { hash: 'sha384', bytes: 48 },
  '2.16.840.1.101.3.4.2.3': { hash: 'sha512', bytes: 64 },
}

/**
 * `SEQUENCE { SEQUENCE { algorithm, digest OCTET STRING }, salt OCTET STRING, iterations INTEGER DEFAULT 1 }`
 * @throws {DerError} where it is another
 */
export function decodePkcs12Mac(element: DerElement): Pkcs12Mac {
  const [info, salt, rounds] = decodeDerElements(contentOf(element, TAG_SEQUENCE, 'a MAC'))
  const [algorithm, digest] = decodeDerElements(contentOf(info, TAG_SEQUENCE, 'a digest'))
  return {
    algorithm: decodeAlgorithm(algorithm),
    digest: contentOf(digest, TAG_OCTET_STRING, 'a digest'),
    salt: contentOf(salt, TAG_OCTET_STRING, 'a salt'),
    rounds: rounds === undefined ? 1 : decodeDerInteger(contentOf(rounds, TAG_INTEGER, 'rounds')),
  }
}

/**
 * Says whether the MAC is that of these bytes and this passphrase.
 * @throws {CredentialError} encryption-unsupported
 * @throws {DerError} where the algorithm's parameters are malformed
 */
export function isMacOf(
  mac: Pkcs12Mac,
  bytes: Uint8Array,
  passphrase: Passphrase,
  budget: WorkBudget,
): boolean {
  const { hash, key } =
    mac.algorithm.id === PBMAC1
      ? derivePbmac1Key(mac, passphrase, budget)
      : deriveKey(mac, passphrase, budget)
  return createHmac(hash, key).update(bytes).digest().equals(mac.digest)
}

function deriveKey(
  { algorithm, salt, rounds }: Pkcs12Mac,
  { text }: Passphrase,
  budget: WorkBudget,
) {
  const { hash, bytes } = HASHES[algorithm.id] ?? {}
  if (hash === undefined || bytes === undefined)
    throw new CredentialError(
      'encryption-unsupported',
      `Its MAC is none that is read here (${algorithm.id.slice(0, 100)}).`,
    )
  budget.spendOnRounds(rounds, bytes, hash)
  return { hash, key: derivePkcs12Key(text, salt, DERIVE_MAC_KEY, rounds, bytes, hash) }
}

/** `SEQUENCE { keyDerivationFunc, messageAuthScheme }`; the MAC's own salt and rounds do not count. [RFC 9579 §4] */
function derivePbmac1Key({ algorithm }: Pkcs12Mac, { bytes }: Passphrase, budget: WorkBudget) {
  const parameters = contentOf(algorithm.parameters, TAG_SEQUENCE, 'PBMAC1')
  const [derivation, scheme] = decodeDerElements(parameters)
  const { id, parameters: pbkdf2 } = decodeAlgorithm(derivation)
  const [, , keyLength] = decodeDerElements(contentOf(pbkdf2, TAG_SEQUENCE, 'PBKDF2'))
  const keyBytes = decodeDerInteger(contentOf(keyLength, TAG_INTEGER, 'the length of a key'))
  if (!(keyBytes >= 1 && keyBytes <= MAX_MAC_KEY_BYTES)) throw new DerError('a key of no length')
  const key = deriveByAlgorithm({ id, parameters: pbkdf2 }, bytes, keyBytes, budget)
  return { hash: hashOfHmac(decodeAlgorithm(scheme)), key }
}
