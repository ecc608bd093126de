import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto'
import { CredentialError } from '../errors.ts'
import { decodeAppleExtensions } from './apple-extensions.ts'
import { parsePem } from './pem.ts'

export type ApnsEnvironment = 'sandbox' | 'production'

/** A certificate with its private key, and what Apple wrote into it. */
export interface CertificateCredential {
  readonly type: 'certificate'
  /** The certificate, then whatever chain came with it. PEM. */
  readonly certificatePem: string
  /** Unencrypted PEM, PKCS#8 or as it came. */
  readonly privateKeyPem: string
  /** SHA-256 of the certificate's DER, lower-case hex. */
  readonly fingerprint: string
  /** Every topic it may send to, at least one. */
  readonly topics: readonly string[]
  /** The topic when nobody names one: the subject's UID, else the first of `topics`. */
  readonly defaultTopic: string
  readonly environments: readonly ApnsEnvironment[]
  /** False where none of Apple's extensions are in it: made by an emulator or a test, not by Apple. */
  readonly hasAppleExtensions: boolean
  /** When it ends, ms since the epoch. */
  readonly notAfterMs: number
}

/**
 * Reads a certificate and its private key from PEM text, and from the certificate the topics and environments.
 *
 * Topics are those of Apple's extension 1.2.840.113635.100.6.3.6, else of …6.3.4, else the subject's UID, else its
 * common name after the last colon. A certificate with neither environment extension counts as good for production when
 * it carries topics of Apple's (website, MDM, pass), and for both when it carries nothing of Apple's.
 *
 * @param nowMs refuses a certificate that has ended or not begun by then; null takes it whatever its dates
 * @throws {CredentialError} by code, each fault its own
 */
export function readCertificate(pem: string, nowMs: number | null): CertificateCredential {
  const blocks = parsePem(pem)
  const certificates = blocks.filter((block) => block.label === 'CERTIFICATE')
  if (certificates.length === 0)
    throw new CredentialError('certificate-missing', 'There is no certificate in it.')
  const key = readPrivateKey(pem)
  const parsed = certificates.map((block) => parseCertificate(block.text))
  const own = parsed.find((certificate) => certificate.checkPrivateKey(key))
  if (own === undefined)
    throw new CredentialError('key-mismatch', 'The private key does not belong to the certificate.')
  if (nowMs !== null) checkDates(own, nowMs)
  const chain = [own, ...parsed.filter((certificate) => certificate !== own)]
  return {
    type: 'certificate',
    certificatePem: chain.map((certificate) => certificate.toString()).join(''),
    privateKeyPem: key.export({ type: 'pkcs8', format: 'pem' }) as string,
    fingerprint: own.fingerprint256.replaceAll(':', '').toLowerCase(),
    ...readMeaning(own),
    notAfterMs: own.validToDate.getTime(),
  }
}

function readPrivateKey(pem: string): KeyObject {
  const block = parsePem(pem).find(({ label }) => label.endsWith('PRIVATE KEY'))
  if (block === undefined)
    throw new CredentialError('key-missing', 'There is no private key beside the certificate.')
  if (block.label === 'ENCRYPTED PRIVATE KEY' || block.text.includes('Proc-Type: 4,ENCRYPTED'))
    throw new CredentialError('key-encrypted', 'The private key is encrypted with a passphrase.')
  try {
    return createPrivateKey(block.text)
  } catch (cause) {
    throw new CredentialError('key-unreadable', 'The private key cannot be read.', cause)
  }
}

function parseCertificate(text: string): X509Certificate {
  try {
    return new X509Certificate(text)
  } catch (cause) {
    throw new CredentialError('certificate-unreadable', 'The certificate cannot be read.', cause)
  }
}

function checkDates(certificate: X509Certificate, nowMs: number): void {
  if (certificate.validToDate.getTime() < nowMs)
    throw new CredentialError(
      'certificate-expired',
      `The certificate expired on ${formatDay(certificate.validToDate)}.`,
    )
  if (certificate.validFromDate.getTime() > nowMs)
    throw new CredentialError(
      'certificate-not-yet-valid',
      `The certificate is not valid before ${formatDay(certificate.validFromDate)}.`,
    )
}

const formatDay = (date: Date): string => date.toISOString().slice(0, 10)

function readMeaning(certificate: X509Certificate) {
  const { topics: listed, environments } = decodeAppleExtensions(certificate.raw)
  const uid = subjectField(certificate, 'UID')
  const commonName = subjectField(certificate, 'CN')
  const fallback = uid ?? commonName?.split(':').at(-1)?.trim()
  const topics = listed.length > 0 ? listed : fallback === undefined ? [] : [fallback]
  const defaultTopic = uid ?? topics[0]
  if (defaultTopic === undefined)
    throw new CredentialError(
      'certificate-unreadable',
      'The certificate names no topic: it has neither Apple’s extensions nor a UID or CN in its subject.',
    )
  const hasAppleExtensions = listed.length > 0 || environments.length > 0
  return {
    topics,
    defaultTopic,
    hasAppleExtensions,
    environments:
      environments.length > 0
        ? environments
        : environmentsWithoutExtension(certificate, hasAppleExtensions),
  }
}

/** Apple's website, MDM and pass certificates carry no environment and serve production; a stranger's serve any. */
function environmentsWithoutExtension(
  certificate: X509Certificate,
  hasAppleExtensions: boolean,
): ApnsEnvironment[] {
  const issuedByApple = hasAppleExtensions || /^O=Apple Inc\.?$/m.test(certificate.issuer)
  return issuedByApple ? ['production'] : ['sandbox', 'production']
}

/** One field of the subject as Node prints it, a line each: `UID=com.example.app`. */
function subjectField(certificate: X509Certificate, name: string): string | undefined {
  const line = certificate.subject.split('\n').find((field) => field.startsWith(`${name}=`))
  return line?.slice(name.length + 1)
}
