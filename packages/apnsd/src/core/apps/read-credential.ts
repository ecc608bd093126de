import {
  type Credential,
  CredentialError,
  type CredentialErrorCode,
  readCertificate,
  readSigningKey,
} from '@apnsd/apns'
import { ApnsdError } from '../../base/errors.ts'
import type { CredentialSource } from '../provider-requests.ts'

/** A credential whose file, where it came as a path, has been read. */
export type ReadCredentialSource =
  | Exclude<CredentialSource, { path: string }>
  | { readonly type: 'certificate'; readonly file: Uint8Array }

/**
 * Reads what a call gave as a credential.
 * @throws {ApnsdError} each of {@link CredentialErrorCode}, and invalid-argument where base64 is none
 */
export function readCredential(source: ReadCredentialSource, nowMs: number): Credential {
  try {
    if (source.type === 'token') return readSigningKey(source.key, source.keyId, source.teamId)
    if ('file' in source) return readCertificate(source.file, nowMs)
    const { passphrase } = source
    if ('pem' in source)
      return readCertificate({ certificate: source.pem, key: source.key, passphrase }, nowMs)
    return readCertificate({ certificate: decodeBase64(source.pkcs12), passphrase }, nowMs)
  } catch (cause) {
    if (!(cause instanceof CredentialError)) throw cause
    const hint = HINTS[cause.code]
    throw new ApnsdError(cause.code, cause.message, {
      cause,
      place: PLACES[cause.code] ?? '/credential',
      ...(hint === undefined ? {} : { hint }),
    })
  }
}

function decodeBase64(text: string): Buffer {
  const digits = text.replace(/\s+/g, '')
  if (!/^[A-Za-z0-9+/]+={0,2}$/.test(digits))
    throw new ApnsdError('invalid-argument', 'The PKCS#12 file is not in base64.', {
      place: '/credential/pkcs12',
      hint: 'Make it so: base64 app.p12',
    })
  return Buffer.from(digits, 'base64')
}

const WRITE_PEM = 'Write it out as PEM: openssl pkcs12 -legacy -in app.p12 -nodes -out app.pem'

const HINTS: Partial<Record<CredentialErrorCode, string>> = {
  'certificate-missing': 'Put certificate and private key, both in PEM, into one file.',
  'key-missing': 'Put certificate and private key, both in PEM, into one file.',
  'key-encrypted': 'Write it out without one: openssl pkey -in key.pem -out plain.pem',
  'key-mismatch': 'Export certificate and key together from the keychain that made the request.',
  'certificate-expired': 'Renew it in the Apple developer account.',
  'passphrase-missing':
    'PUT /v1/apps/{app} takes one. XML-RPC does not: write the file out without it, with openssl pkcs12 -legacy -nodes or openssl pkey.',
  'pkcs12-unreadable': 'Export it again from the keychain.',
  'encryption-unsupported': WRITE_PEM,
  'pkcs12-library-missing': WRITE_PEM,
}

const PLACES: Partial<Record<CredentialErrorCode, string>> = {
  'passphrase-missing': '/credential/passphrase',
  'passphrase-wrong': '/credential/passphrase',
  'key-id-malformed': '/credential/keyId',
  'team-id-malformed': '/credential/teamId',
}
