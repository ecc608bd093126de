import { createDecipheriv, createHash, pbkdf2Sync, scryptSync } from 'node:crypto'
import { CredentialError } from '../errors.ts'
import {
  contentOf,
  type DerElement,
  decodeDerElements,
  decodeDerInteger,
  formatObjectIdentifier,
  TAG_INTEGER,
  TAG_OBJECT_IDENTIFIER,
  TAG_OCTET_STRING,
  TAG_SEQUENCE,
} from './der.ts'
import { DERIVE_IV, DERIVE_KEY, decryptRc2, derivePkcs12Key } from './forge.ts'
import type { Passphrase } from './passphrase.ts'
import type { PemEncryption } from './pem.ts'
import type { WorkBudget } from './work-budget.ts'

/** An OBJECT IDENTIFIER and what goes with it. [RFC 5280 §4.1.1.2] */
export interface AlgorithmIdentifier {
  readonly id: string
  readonly parameters: DerElement | undefined
}

/** @throws {DerError} where it is none */
export function decodeAlgorithm(element: DerElement | undefined): AlgorithmIdentifier {
  const [id, parameters] = decodeDerElements(contentOf(element, TAG_SEQUENCE, 'an algorithm'))
  const name = contentOf(id, TAG_OBJECT_IDENTIFIER, 'the identifier of an algorithm')
  return { id: formatObjectIdentifier(name), parameters }
}

/** A block cipher in CBC mode with PKCS#7 padding, as far as a passphrase has to do with it. */
interface Cipher {
  /** `rc2` is node-forge's, `des` is done as triple DES; the others are node:crypto's. */
  readonly name: string
  readonly keyBytes: number
}

const RC2_40: Cipher = { name: 'rc2', keyBytes: 5 }
const RC2_64: Cipher = { name: 'rc2', keyBytes: 8 }
const RC2_128: Cipher = { name: 'rc2', keyBytes: 16 }
const DES: Cipher = { name: 'des', keyBytes: 8 }
const DES_TWO_KEYS: Cipher = { name: 'des', keyBytes: 16 }
const DES_THREE_KEYS: Cipher = { name: 'des', keyBytes: 24 }
const AES_128: Cipher = { name: 'aes-128-cbc', keyBytes: 16 }
const AES_192: Cipher = { name: 'aes-192-cbc', keyBytes: 24 }
const AES_256: Cipher = { name: 'aes-256-cbc', keyBytes: 32 }

/** Of DES and RC2. */
const OLD_BLOCK_BYTES = 8

/** [RFC 8018 appendix A.3] */
const PBES1: Record<string, { hash: string; cipher: Cipher }> = {
  '1.2.840.113549.1.5.3': { hash: 'md5', cipher: DES },
  '1.2.840.113549.1.5.6': { hash: 'md5', cipher: RC2_64 },
  '1.2.840.113549.1.5.10': { hash: 'sha1', cipher: DES },
  '1.2.840.113549.1.5.11': { hash: 'sha1', cipher: RC2_64 },
}

/** Always with SHA-1. [RFC 7292 appendix C] */
const PKCS12_CIPHERS: Record<string, Cipher> = {
  '1.2.840.113549.1.12.1.3': DES_THREE_KEYS,
  '1.2.840.113549.1.12.1.4': DES_TWO_KEYS,
  '1.2.840.113549.1.12.1.5': RC2_128,
  '1.2.840.113549.1.12.1.6': RC2_40,
}

const PBES2 = '1.2.840.113549.1.5.13'
const PBKDF2 = '1.2.840.113549.1.5.12'
/** [RFC 7914 §7] */
const SCRYPT = '1.3.6.1.4.1.11591.4.11'

/** [RFC 8018 appendix B.2] */
const PBES2_CIPHERS: Record<string, Cipher> = {
  '1.3.14.3.2.7': DES,
  '1.2.840.113549.3.7': DES_THREE_KEYS,
  '2.16.840.1.101.3.4.1.2': AES_128,
  '2.16.840.1.101.3.4.1.22': AES_192,
  '2.16.840.1.101.3.4.1.42': AES_256,
}

/** The hash of each HMAC, as node:crypto names it. [RFC 8018 appendix B.1] */
const HMAC_HASHES: Record<string, string> = {
  '1.2.840.113549.2.7': 'sha1',
  '1.2.840.113549.2.8': 'sha224',
  '1.2.840.113549.2.9': 'sha256',
  '1.2.840.113549.2.10': 'sha384',
  '1.2.840.113549.2.11': 'sha512',
}

/** What OpenSSL writes into `DEK-Info`. */
const PEM_CIPHERS: Record<string, Cipher> = {
  'DES-CBC': DES,
  'DES-EDE3-CBC': DES_THREE_KEYS,
  'AES-128-CBC': AES_128,
  'AES-192-CBC': AES_192,
  'AES-256-CBC': AES_256,
}

/**
 * Decrypts what is encrypted with a passphrase by an algorithm of PKCS#5 or PKCS#12.
 * @returns null where the passphrase is wrong or the bytes are damaged: they do not tell which
 * @throws {CredentialError} encryption-unsupported, pkcs12-library-missing
 * @throws {DerError} where the parameters do not have the shape that goes with the algorithm
 */
export function decryptByAlgorithm(
  { id, parameters }: AlgorithmIdentifier,
  encrypted: Uint8Array,
  passphrase: Passphrase,
  budget: WorkBudget,
): Buffer | null {
  if (id === PBES2) return decryptByPbes2(parameters, encrypted, passphrase, budget)
  const pbes1 = PBES1[id]
  if (pbes1 !== undefined) {
    const { cipher, hash } = pbes1
    const { salt, rounds } = decodeSaltAndRounds(parameters)
    budget.spendOnRounds(rounds, cipher.keyBytes, hash)
    // key and IV are what the hash gives, one after the other [RFC 8018 §6.1]
    const derived = derivePbkdf1(hash, passphrase.bytes, salt, rounds)
    const iv = derived.subarray(cipher.keyBytes, cipher.keyBytes + OLD_BLOCK_BYTES)
    return decryptBlocks(cipher, derived.subarray(0, cipher.keyBytes), iv, encrypted, budget)
  }
  const cipher = PKCS12_CIPHERS[id]
  if (cipher === undefined)
    throw new CredentialError('encryption-unsupported', unknownText('encryption', id))
  const { salt, rounds } = decodeSaltAndRounds(parameters)
  const derive = (purpose: number, bytes: number): Buffer => {
    budget.spendOnRounds(rounds, bytes, 'sha1')
    return derivePkcs12Key(passphrase.text, salt, purpose, rounds, bytes, 'sha1')
  }
  const key = derive(DERIVE_KEY, cipher.keyBytes)
  return decryptBlocks(cipher, key, derive(DERIVE_IV, OLD_BLOCK_BYTES), encrypted, budget)
}

/** `SEQUENCE { salt OCTET STRING, iterations INTEGER }` */
function decodeSaltAndRounds(parameters: DerElement | undefined) {
  const [salt, rounds] = decodeDerElements(contentOf(parameters, TAG_SEQUENCE, 'parameters'))
  return {
    salt: contentOf(salt, TAG_OCTET_STRING, 'a salt'),
    rounds: decodeDerInteger(contentOf(rounds, TAG_INTEGER, 'a number of rounds')),
  }
}

/** `SEQUENCE { keyDerivationFunc AlgorithmIdentifier, encryptionScheme AlgorithmIdentifier }`, the IV with the latter. */
function decryptByPbes2(
  parameters: DerElement | undefined,
  encrypted: Uint8Array,
  passphrase: Passphrase,
  budget: WorkBudget,
): Buffer | null {
  const [derivation, scheme] = decodeDerElements(contentOf(parameters, TAG_SEQUENCE, 'PBES2'))
  const { id, parameters: iv } = decodeAlgorithm(scheme)
  const cipher = PBES2_CIPHERS[id]
  if (cipher === undefined)
    throw new CredentialError('encryption-unsupported', unknownText('encryption', id))
  const key = deriveByAlgorithm(
    decodeAlgorithm(derivation),
    passphrase.bytes,
    cipher.keyBytes,
    budget,
  )
  return decryptBlocks(cipher, key, contentOf(iv, TAG_OCTET_STRING, 'an IV'), encrypted, budget)
}

/**
 * Derives a key by PBKDF2 or scrypt.
 * @throws {CredentialError} encryption-unsupported
 * @throws {DerError} where the parameters do not have the shape that goes with the algorithm
 */
export function deriveByAlgorithm(
  { id, parameters }: AlgorithmIdentifier,
  passphrase: Buffer,
  keyBytes: number,
  budget: WorkBudget,
): Buffer {
  if (id === SCRYPT) return deriveByScrypt(parameters, passphrase, keyBytes, budget)
  if (id !== PBKDF2)
    throw new CredentialError('encryption-unsupported', unknownText('key derivation', id))
  const { salt, rounds } = decodeSaltAndRounds(parameters)
  // what may follow: the key's length, which the cipher says as well, and the HMAC, SHA-1's where it is left out
  const last = decodeDerElements(contentOf(parameters, TAG_SEQUENCE, 'PBKDF2')).at(-1)
  const hash = last?.tag === TAG_SEQUENCE ? hashOfHmac(decodeAlgorithm(last)) : 'sha1'
  budget.spendOnNativeRounds(rounds, keyBytes, hash)
  return pbkdf2Sync(passphrase, salt, rounds, keyBytes, hash)
}

/**
 * Names the hash of an HMAC as node:crypto does.
 * @throws {CredentialError} encryption-unsupported
 */
export function hashOfHmac({ id }: AlgorithmIdentifier): string {
  const hash = HMAC_HASHES[id]
  if (hash === undefined)
    throw new CredentialError('encryption-unsupported', unknownText('HMAC', id))
  return hash
}

/** `SEQUENCE { salt OCTET STRING, N INTEGER, r INTEGER, p INTEGER, … }` [RFC 7914 §7.1] */
function deriveByScrypt(
  parameters: DerElement | undefined,
  passphrase: Buffer,
  keyBytes: number,
  budget: WorkBudget,
): Buffer {
  const [salt, ...numbers] = decodeDerElements(contentOf(parameters, TAG_SEQUENCE, 'scrypt'))
  const [N = 0, r = 0, p = 0] = numbers
    .slice(0, 3)
    .map((element) => decodeDerInteger(contentOf(element, TAG_INTEGER, 'a number of scrypt')))
  const maxmem = budget.spendOnScrypt(N, r, p)
  try {
    return scryptSync(passphrase, contentOf(salt, TAG_OCTET_STRING, 'a salt'), keyBytes, {
      ...{ N, r, p, maxmem },
    })
  } catch (cause) {
    throw new CredentialError(
      'encryption-unsupported',
      `Its scrypt takes numbers (N ${N}, r ${r}, p ${p}) that are no such numbers, or more memory than is given for a credential.`,
      cause,
    )
  }
}

/** [RFC 8018 §5.1] */
function derivePbkdf1(hash: string, passphrase: Buffer, salt: Uint8Array, rounds: number): Buffer {
  let derived = createHash(hash).update(passphrase).update(salt).digest()
  for (let round = 1; round < rounds; round += 1)
    derived = createHash(hash).update(derived).digest()
  return derived
}

/**
 * Decrypts the body of a PEM block that has `DEK-Info`.
 * @returns null where the passphrase is wrong or the bytes are damaged
 * @throws {CredentialError} encryption-unsupported
 */
export function decryptPem(
  { cipher: name, iv }: PemEncryption,
  encrypted: Uint8Array,
  passphrase: Passphrase,
  budget: WorkBudget,
): Buffer | null {
  const cipher = PEM_CIPHERS[name]
  if (cipher === undefined)
    throw new CredentialError('encryption-unsupported', unknownText('encryption', name))
  // MD5 over passphrase and half an IV, and again with what came out before it, as OpenSSL's EVP_BytesToKey has it
  let digest = Buffer.alloc(0)
  let key = digest
  while (key.length < cipher.keyBytes) {
    const hash = createHash('md5').update(digest).update(passphrase.bytes)
    digest = hash.update(iv.subarray(0, OLD_BLOCK_BYTES)).digest()
    key = Buffer.concat([key, digest])
  }
  return decryptBlocks(cipher, key.subarray(0, cipher.keyBytes), iv, encrypted, budget)
}

function decryptBlocks(
  { name, keyBytes }: Cipher,
  key: Buffer,
  iv: Uint8Array,
  encrypted: Uint8Array,
  budget: WorkBudget,
): Buffer | null {
  if (name === 'rc2') {
    budget.spendOnCipher(encrypted.length)
    return decryptRc2(key, keyBytes * 8, iv, encrypted)
  }
  // DES with one key or two is triple DES with the same ones again
  const isDes = name === 'des'
  const whole = isDes ? Buffer.concat([key, key, key]).subarray(0, 3 * OLD_BLOCK_BYTES) : key
  try {
    const decipher = createDecipheriv(isDes ? 'des-ede3-cbc' : name, whole, iv)
    return Buffer.concat([decipher.update(encrypted), decipher.final()])
  } catch {
    return null // the wrong padding, part of a block, an IV of another length: all of them a wrong key or damage
  }
}

const unknownText = (what: string, name: string): string =>
  `Its ${what} is none that is read here (${name.slice(0, 100)}).`
