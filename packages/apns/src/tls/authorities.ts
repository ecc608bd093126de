import { X509Certificate } from 'node:crypto'
import { createSecureContext, getCACertificates, type SecureContext } from 'node:tls'
import { ApnsError } from '../errors.ts'

/** An authority to trust that is no certificate; the caller's to mend. */
export class AuthorityError extends ApnsError {
  constructor(message: string, cause?: unknown) {
    super('authority-unreadable', message, { retry: false, cause })
  }
}

const CERTIFICATE =
  /-----BEGIN (X509 |TRUSTED )?CERTIFICATE-----[^-]*-----END (X509 |TRUSTED )?CERTIFICATE-----/g
/** Processes have one set of extra authorities, or few. */
const MAX_SHARED = 8

/** Secure contexts without a certificate of ours, by the extra authorities: nothing in them is anybody's own. */
const shared = new Map<string, SecureContext>()

/**
 * Reads certificates of authorities, PEM, one or more in each text. TLS itself takes any text and trusts nobody by it, and
 * stops at the first certificate that is broken.
 * @throws {AuthorityError}
 */
export function readAuthorities(texts: readonly string[]): string[] {
  return texts.flatMap((text) => {
    const found = text.match(CERTIFICATE) ?? []
    if (found.length === 0)
      throw new AuthorityError('A text of authorities to trust holds no certificate in PEM.')
    for (const [index, pem] of found.entries()) checkCertificate(pem, index + 1)
    return found
  })
}

function checkCertificate(pem: string, place: number): void {
  try {
    void new X509Certificate(pem)
  } catch (cause) {
    throw new AuthorityError(
      `Certificate ${place} of a text of authorities to trust cannot be read.`,
      cause,
    )
  }
}

/**
 * Makes a secure context: TLS 1.2 or newer; Node's own authorities, NODE_EXTRA_CA_CERTS and the system's where it was told
 * so, and the extra ones. Without extra ones, Node shares its store between all contexts.
 * @throws {AuthorityError}
 */
export function createTrust(
  extraCa: readonly string[],
  certificate: { readonly certificatePem: string; readonly privateKeyPem: string } | null,
): SecureContext {
  return createSecureContext({
    minVersion: 'TLSv1.2',
    ...(extraCa.length === 0
      ? {}
      : { ca: [...getCACertificates('default'), ...readAuthorities(extraCa)] }),
    ...(certificate === null
      ? {}
      : { cert: certificate.certificatePem, key: certificate.privateKeyPem }),
  })
}

/** The one without a certificate, which all share who trust the same: with extra authorities it takes a megabyte. */
export function sharedTrust(extraCa: readonly string[]): SecureContext {
  const key = extraCa.join('\n')
  const trust = shared.get(key) ?? createTrust(extraCa, null)
  shared.delete(key)
  shared.set(key, trust)
  const [oldest] = shared.keys()
  if (shared.size > MAX_SHARED && oldest !== undefined) shared.delete(oldest)
  return trust
}
