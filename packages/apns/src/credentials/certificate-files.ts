import { type KeyObject, X509Certificate } from 'node:crypto'
import { CredentialError } from '../errors.ts'
import { type CredentialFile, decodeCredentialFile, describeBlocks } from './credential-file.ts'
import type { PemBlock } from './pem.ts'
import { openPkcs12 } from './pkcs12.ts'
import { isPrivateKey, openPrivateKey } from './private-key.ts'
import { WorkBudget } from './work-budget.ts'

/** A certificate and its key in two files, or in one that takes a passphrase. */
export interface CertificateFiles {
  /** Holds the certificate, and the key where `key` is absent. */
  readonly certificate: CredentialFile
  readonly key?: CredentialFile | undefined
  /** Opens the key, or the PKCS#12 file; absent or empty: there is none. */
  readonly passphrase?: string | undefined
}

/** A pair has a chain of two or three; a bundle of all authorities has more than a hundred. */
const MAX_CERTIFICATES = 100
const MAX_KEYS = 20

/**
 * Reads all certificates and keys of the files, in their order; at least one of each.
 * @throws {CredentialError} certificate-missing, certificate-unreadable, key-missing, key-unreadable,
 *   credential-too-large, and those of PKCS#12 and of passphrases
 */
export function readCertificateFiles({ certificate, key, passphrase }: CertificateFiles): {
  certificates: X509Certificate[]
  keys: KeyObject[]
} {
  const budget = new WorkBudget()
  const files = key === undefined ? [certificate] : [certificate, key]
  const blocks = files
    .flatMap((file) => decodeCredentialFile(file))
    .flatMap((block) => (block.label === 'PKCS12' ? unpack(block, passphrase, budget) : [block]))
  const certificates = blocks.filter(({ label }) => label === 'CERTIFICATE')
  const keys = blocks.filter(isPrivateKey)
  if (certificates.length === 0)
    throw new CredentialError('certificate-missing', explainMissingCertificate(blocks))
  if (keys.length === 0)
    throw new CredentialError(
      'key-missing',
      'There is no private key beside the certificate. Apple hands out the certificate alone: its key is where the signing request was made.',
    )
  if (certificates.length > MAX_CERTIFICATES || keys.length > MAX_KEYS)
    throw new CredentialError(
      'credential-too-large',
      `It holds ${certificates.length} certificates and ${keys.length} keys: more than one app’s.`,
    )
  return {
    certificates: certificates.map(parseCertificate),
    keys: keys.map((block) => openPrivateKey(block, passphrase, budget)),
  }
}

function unpack({ der }: PemBlock, passphrase: string | undefined, budget: WorkBudget): PemBlock[] {
  if (der === null)
    throw new CredentialError(
      'pkcs12-unreadable',
      'The PKCS#12 file cannot be read: its text is cut off or no base64.',
    )
  const { certificates, keys } = openPkcs12(der, passphrase, budget)
  const toBlock = (label: string) => (bytes: Uint8Array) => ({
    label,
    der: bytes,
    encryption: null,
  })
  return [...certificates.map(toBlock('CERTIFICATE')), ...keys.map(toBlock('PRIVATE KEY'))]
}

function explainMissingCertificate(blocks: readonly PemBlock[]): string {
  if (blocks.length === 0)
    return 'There is no certificate in it: it is neither PEM nor DER nor PKCS#12.'
  const found = `There is no certificate in it, only ${describeBlocks(blocks)}.`
  if (!blocks.every((block) => isPrivateKey(block))) return found
  return `${found} A signing key of Apple’s (.p8) goes with a key ID and a team ID in place of a certificate.`
}

function parseCertificate({ der }: PemBlock): X509Certificate {
  if (der === null)
    throw new CredentialError(
      'certificate-unreadable',
      'The certificate cannot be read: its text is cut off or no base64.',
    )
  try {
    return new X509Certificate(der)
  } catch (cause) {
    throw new CredentialError('certificate-unreadable', 'The certificate cannot be read.', cause)
  }
}
