import { generateKeyPairSync, randomBytes, X509Certificate } from 'node:crypto'
import { isIP } from 'node:net'
import forge from 'node-forge'
import {
  APPLE_OIDS,
  encodeMark,
  encodeTopics,
  type LabelledTopic,
  UID_OID,
} from './apple-extensions.ts'
import type { Environment } from './environment.ts'

const DAY_MS = 86_400_000
/** node-forge signs with RSA only. */
const RSA_BITS = 2048

/** A field of a subject. node-forge's own type mistakes the tag of the value for its class. */
type SubjectField = ({ name: string } | { type: string }) & {
  value: string
  valueTagClass: forge.asn1.Type
}

/** Holds a certificate and its key, both as PEM. */
export interface KeyedCertificate {
  certificatePem: string
  /** PKCS#8, unencrypted. */
  privateKeyPem: string
}

/** Describes a push certificate to issue. */
export interface PushCertificateRequest {
  /** Main topic: the subject's UID and the tail of its CN. */
  topic: string
  /** Environments that the certificate is good for; at least one. */
  environments: readonly Environment[]
  /** Topics in extension …6.3.6; empty leaves the extension out. */
  topics: readonly LabelledTopic[]
  /** False leaves out all of Apple's extensions, the environments too. */
  appleExtensions: boolean
  notBefore: Date
  notAfter: Date
}

interface Profile {
  subject: SubjectField[]
  extensions: object[]
  notBefore: Date
  notAfter: Date
}

/** Issues the certificates of one simulator: its server's own, and the push certificates of its clients. */
export class Authority implements KeyedCertificate {
  readonly certificatePem: string
  readonly privateKeyPem: string
  readonly #certificate: forge.pki.Certificate
  readonly #privateKey: forge.pki.rsa.PrivateKey
  readonly #x509: X509Certificate

  private constructor(pems: KeyedCertificate) {
    this.certificatePem = pems.certificatePem
    this.privateKeyPem = pems.privateKeyPem
    this.#certificate = forge.pki.certificateFromPem(pems.certificatePem)
    this.#privateKey = forge.pki.privateKeyFromPem(pems.privateKeyPem)
    this.#x509 = new X509Certificate(pems.certificatePem)
  }

  /** Makes a new authority: an RSA key and a certificate for ten years, signed with itself. */
  static create(): Authority {
    const keys = generateRsaKeys()
    const certificate = build(authorityProfile(), keys.publicKey, 'self')
    certificate.sign(keys.privateKey, forge.md.sha256.create())
    return new Authority({
      certificatePem: certificateToPem(certificate),
      privateKeyPem: keys.privateKeyPem,
    })
  }

  /** Takes up an authority made earlier, so that what it issued stays good. */
  static from(pems: KeyedCertificate): Authority {
    return new Authority(pems)
  }

  /** Issues the push server's certificate, valid for loopback by name and address and for the given host. */
  issueServerCertificate(host: string): KeyedCertificate {
    const hosts = [...new Set(['localhost', '127.0.0.1', '::1', host])]
    return this.#issue({
      subject: [utf8({ name: 'commonName' }, 'localhost')],
      extensions: [
        ...leafExtensions({ serverAuth: true }),
        { name: 'subjectAltName', altNames: hosts.map(alternativeName) },
      ],
      // The system's clock, not the simulator's: whoever connects checks these dates with theirs.
      notBefore: new Date(Date.now() - DAY_MS),
      notAfter: new Date(Date.now() + 800 * DAY_MS),
    })
  }

  /** Issues a push certificate with Apple's extensions. */
  issuePushCertificate(request: PushCertificateRequest): KeyedCertificate {
    return this.#issue({
      subject: [
        utf8({ type: UID_OID }, request.topic),
        utf8({ name: 'commonName' }, `${commonNamePrefix(request)}${request.topic}`),
      ],
      extensions: [
        ...leafExtensions({ clientAuth: true }),
        ...(request.appleExtensions ? appleExtensions(request) : []),
      ],
      notBefore: request.notBefore,
      notAfter: request.notAfter,
    })
  }

  /** Tells whether this authority signed a certificate. Looks at no dates. */
  issued(certificate: X509Certificate): boolean {
    return certificate.checkIssued(this.#x509) && certificate.verify(this.#x509.publicKey)
  }

  #issue(profile: Profile): KeyedCertificate {
    const keys = generateRsaKeys()
    const certificate = build(profile, keys.publicKey, this.#certificate)
    certificate.sign(this.#privateKey, forge.md.sha256.create())
    return {
      certificatePem: certificateToPem(certificate),
      privateKeyPem: keys.privateKeyPem,
    }
  }
}

function build(
  profile: Profile,
  publicKey: forge.pki.rsa.PublicKey,
  issuer: forge.pki.Certificate | 'self',
): forge.pki.Certificate {
  const certificate = forge.pki.createCertificate()
  certificate.publicKey = publicKey
  certificate.serialNumber = makeSerialNumber()
  certificate.validity.notBefore = profile.notBefore
  certificate.validity.notAfter = profile.notAfter
  const subject = profile.subject as unknown as forge.pki.CertificateField[]
  certificate.setSubject(subject)
  certificate.setIssuer(issuer === 'self' ? subject : issuer.subject.attributes)
  const parent = issuer === 'self' ? certificate : issuer
  certificate.setExtensions([
    ...profile.extensions,
    { name: 'subjectKeyIdentifier' },
    // Strict verifiers, such as Python's since 3.13, refuse a certificate without it.
    {
      name: 'authorityKeyIdentifier',
      keyIdentifier: parent.generateSubjectKeyIdentifier().getBytes(),
    },
  ])
  return certificate
}

/** A bundle ID may hold what node-forge's usual PrintableString has no room for. */
function utf8(name: { name: string } | { type: string }, value: string): SubjectField {
  return { ...name, value, valueTagClass: forge.asn1.Type.UTF8 }
}

/** node-forge ends its lines with CR LF. */
function certificateToPem(certificate: forge.pki.Certificate): string {
  return forge.pki.certificateToPem(certificate).replaceAll('\r', '')
}

function authorityProfile(): Profile {
  return {
    subject: [
      // The number tells apart authorities that a machine trusts side by side.
      utf8({ name: 'commonName' }, `apnsd simulator CA ${randomBytes(4).toString('hex')}`),
      utf8({ name: 'organizationName' }, 'apnsd simulator'),
    ],
    extensions: [
      { name: 'basicConstraints', cA: true, critical: true },
      { name: 'keyUsage', keyCertSign: true, cRLSign: true, critical: true },
    ],
    notBefore: new Date(Date.now() - DAY_MS),
    notAfter: new Date(Date.now() + 3650 * DAY_MS),
  }
}

function leafExtensions(usage: { serverAuth?: true; clientAuth?: true }): object[] {
  return [
    { name: 'basicConstraints', cA: false, critical: true },
    { name: 'keyUsage', digitalSignature: true, keyEncipherment: true, critical: true },
    { name: 'extKeyUsage', ...usage },
  ]
}

function appleExtensions({ environments, topics }: PushCertificateRequest): object[] {
  const marks = environments.map((environment) => ({
    id: APPLE_OIDS[environment],
    value: encodeMark(),
  }))
  if (topics.length === 0) return marks
  return [...marks, { id: APPLE_OIDS.topics, value: encodeTopics(topics) }]
}

function commonNamePrefix({ environments }: PushCertificateRequest): string {
  if (environments.length > 1) return 'Apple Push Services: '
  return environments[0] === 'sandbox'
    ? 'Apple Development IOS Push Services: '
    : 'Apple Production IOS Push Services: '
}

/** GeneralName of RFC 5280 §4.2.1.6: 7 is an IP address, 2 a DNS name. */
function alternativeName(host: string): object {
  return isIP(host) > 0 ? { type: 7, ip: host } : { type: 2, value: host }
}

/** Makes 16 bytes of hex whose first is 40 to 7f: a positive INTEGER of DER, without padding. */
function makeSerialNumber(): string {
  const bytes = randomBytes(16)
  bytes.writeUInt8((bytes.readUInt8(0) & 0x3f) | 0x40, 0)
  return bytes.toString('hex')
}

function generateRsaKeys(): {
  publicKey: forge.pki.rsa.PublicKey
  privateKey: forge.pki.rsa.PrivateKey
  privateKeyPem: string
} {
  const pair = generateKeyPairSync('rsa', {
    modulusLength: RSA_BITS,
    publicKeyEncoding: { type: 'spki', format: 'pem' },
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
  })
  return {
    publicKey: forge.pki.publicKeyFromPem(pair.publicKey),
    privateKey: forge.pki.privateKeyFromPem(pair.privateKey),
    privateKeyPem: pair.privateKey,
  }
}
