import type { KeyObject, X509Certificate } from 'node:crypto'
import { createSecureContext } from 'node:tls'
import { CredentialError } from '../errors.ts'
import { type AppleExtensions, decodeAppleExtensions } from './apple-extensions.ts'
import { type CertificateFiles, readCertificateFiles } from './certificate-files.ts'
import type { CredentialFile } from './credential-file.ts'
import { DerError } from './der.ts'

export type ApnsEnvironment = 'sandbox' | 'production'

/** A certificate with its private key, and what Apple wrote into it. */
export interface CertificateCredential {
  readonly type: 'certificate'
  /** The certificate, then those of its authorities that came with it, as TLS sends them. PEM. */
  readonly certificatePem: string
  /** Unencrypted PKCS#8, PEM. */
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
 * Reads a certificate and its private key, and from the certificate the topics and environments.
 *
 * Takes PEM, DER and PKCS#12 (`.p12`, `.pfx`), each as the bytes of the file, as text, or as base64. Where there
 * are several pairs, such as a renewed certificate and the one before, a push certificate is taken before others, then
 * the valid one, then the one that ends last; the authorities that it leads to come along. PKCS#12, and keys encrypted in old ways, need the package node-forge.
 *
 * Topics are those of Apple's extension 1.2.840.113635.100.6.3.6, else of …6.3.4, else the subject's UID, else its
 * common name after the last colon. A certificate with neither environment extension counts as good for production when
 * it carries topics of Apple's (website, MDM, pass), and for both when it carries nothing of Apple's.
 *
 * @param nowMs refuses a certificate that has ended or not begun by then, and one that TLS does not take; null takes the
 *   first that belongs to a key, as it is
 * @throws {CredentialError} by code, each fault its own
 */
export function readCertificate(
  source: CredentialFile | CertificateFiles,
  nowMs: number | null = Date.now(),
): CertificateCredential {
  const isFile = typeof source === 'string' || source instanceof Uint8Array
  const { certificates, keys } = readCertificateFiles(isFile ? { certificate: source } : source)
  const pairs = certificates.flatMap((certificate) =>
    keys
      .filter((key) => certificate.checkPrivateKey(key))
      .map((key): Pair => ({ certificate, key })),
  )
  const [first] = nowMs === null ? pairs : pairs.sort(compareAt(nowMs))
  if (first === undefined)
    throw new CredentialError('key-mismatch', 'The private key does not belong to the certificate.')
  const { certificate: own, key } = first
  if (nowMs !== null) checkDates(own, nowMs)
  const credential: CertificateCredential = {
    type: 'certificate',
    certificatePem: chainOf(own, certificates)
      .map((certificate) => certificate.toString())
      .join(''),
    privateKeyPem: key.export({ type: 'pkcs8', format: 'pem' }) as string,
    fingerprint: own.fingerprint256.replaceAll(':', '').toLowerCase(),
    ...readMeaning(own),
    notAfterMs: own.validToDate.getTime(),
  }
  if (nowMs !== null) checkTlsTakes(credential)
  return credential
}

interface Pair {
  readonly certificate: X509Certificate
  readonly key: KeyObject
}

/** Push certificates first, of them the valid ones, of those the one that ends last. */
const compareAt =
  (nowMs: number) =>
  ({ certificate: one }: Pair, { certificate: other }: Pair): number =>
    Number(isForPush(other)) - Number(isForPush(one)) ||
    Number(isValid(other, nowMs)) - Number(isValid(one, nowMs)) ||
    other.validToDate.getTime() - one.validToDate.getTime()

function isForPush(certificate: X509Certificate): boolean {
  const { topics, environments } = readAppleExtensions(certificate)
  return topics.length > 0 || environments.length > 0
}

const isValid = (certificate: X509Certificate, nowMs: number): boolean =>
  certificate.validFromDate.getTime() <= nowMs && nowMs <= certificate.validToDate.getTime()

/** The certificate, its issuer, and so on as far as they are there. */
function chainOf(own: X509Certificate, others: readonly X509Certificate[]): X509Certificate[] {
  const chain: X509Certificate[] = []
  let next: X509Certificate | undefined = own
  while (next !== undefined) {
    const last: X509Certificate = next
    chain.push(last)
    next = others.find((other) => !chain.includes(other) && last.checkIssued(other))
  }
  return chain
}

/** OpenSSL has its own ideas of what is strong enough, and tells them when a connection is made: too late for whoever asks. */
function checkTlsTakes({ certificatePem, privateKeyPem }: CertificateCredential): void {
  try {
    createSecureContext({ cert: certificatePem, key: privateKeyPem })
  } catch (cause) {
    const { reason = 'no reason given' } = cause as { reason?: string }
    throw new CredentialError(
      'certificate-unusable',
      `The certificate cannot be used for TLS: ${reason}.`,
      cause,
    )
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
  const { topics: listed, environments } = readAppleExtensions(certificate)
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

function readAppleExtensions(certificate: X509Certificate): AppleExtensions {
  try {
    return decodeAppleExtensions(certificate.raw)
  } catch (cause) {
    if (!(cause instanceof DerError)) throw cause
    throw new CredentialError(
      'certificate-unreadable',
      'The extensions of the certificate cannot be read.',
      cause,
    )
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
