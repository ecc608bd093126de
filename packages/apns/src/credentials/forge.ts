import { createRequire } from 'node:module'
import type forge from 'node-forge'
import { CredentialError } from '../errors.ts'

type Forge = typeof forge

/** The hashes that node-forge has. */
export type ForgeHash = 'md5' | 'sha1' | 'sha256' | 'sha384' | 'sha512'

/** What the key derivation of PKCS#12 makes, by the number that goes into it. [RFC 7292 appendix B.3] */
export const DERIVE_KEY = 1
export const DERIVE_IV = 2
export const DERIVE_MAC_KEY = 3

let loaded: Forge | null = null

/**
 * Loads node-forge, which this package does without until a PKCS#12 file or a key encrypted in an old way is read.
 * @throws {CredentialError} pkcs12-library-missing
 */
function load(): Forge {
  try {
    loaded ??= createRequire(import.meta.url)('node-forge') as Forge
    return loaded
  } catch (cause) {
    throw new CredentialError(
      'pkcs12-library-missing',
      'Reading PKCS#12 files, and keys encrypted in old ways, takes the package node-forge: npm install node-forge.',
      cause,
    )
  }
}

const toBinary = (bytes: Uint8Array): string => Buffer.from(bytes).toString('latin1')
const toBytes = (buffer: forge.util.ByteBuffer): Buffer => Buffer.from(buffer.getBytes(), 'latin1')

/**
 * Rewrites the first element of `ber` with definite lengths, as DER has them; strings in pieces stay in pieces.
 * @returns null where it is no BER
 */
export function rewriteBer(ber: Uint8Array): Buffer | null {
  const { asn1 } = load()
  // the types know `strict` only; a BIT STRING is to stay as it is, though it may hold DER
  const options = { strict: true, parseAllBytes: false, decodeBitStrings: false }
  try {
    return toBytes(asn1.toDer(asn1.fromDer(toBinary(ber), options as unknown as boolean)))
  } catch {
    return null
  }
}

/**
 * Derives a key in the way of PKCS#12.
 * @param passphrase null for none at all, which is another key than that of the empty one
 * @param id {@link DERIVE_KEY}, {@link DERIVE_IV} or {@link DERIVE_MAC_KEY}
 * @see RFC 7292 appendix B.2
 */
export function derivePkcs12Key(
  passphrase: string | null,
  salt: Uint8Array,
  id: number,
  rounds: number,
  keyBytes: number,
  hash: ForgeHash,
): Buffer {
  const { pkcs12, util, md } = load()
  const salted = util.createBuffer(toBinary(salt))
  return toBytes(pkcs12.generateKey(passphrase, salted, id, rounds, keyBytes, md[hash].create()))
}

/**
 * Decrypts RC2 in CBC mode, with PKCS#7 padding.
 * @param keyBits how many bits of the key count
 * @returns null where the padding is wrong
 */
export function decryptRc2(
  key: Uint8Array,
  keyBits: number,
  iv: Uint8Array,
  encrypted: Uint8Array,
): Buffer | null {
  const { rc2, util } = load()
  const cipher = rc2.createDecryptionCipher(toBinary(key), keyBits)
  cipher.start(toBinary(iv))
  cipher.update(util.createBuffer(toBinary(encrypted)))
  return cipher.finish() ? toBytes(cipher.output) : null
}
